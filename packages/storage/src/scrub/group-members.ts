import type { ClusterSecret, StorageAddress } from "@dsm/protocol";
import { RpcPool } from "@dsm/rpc";

interface GroupMembersOptions {
  readonly group: string;
  readonly storageId: string;
  readonly trackers: readonly string[];
  readonly secret: ClusterSecret;
}

/** The members of groups besides this one, as a tracker knows them. */
export class GroupMembers implements Disposable {
  readonly #options: GroupMembersOptions;
  readonly #trackers: RpcPool;

  constructor(options: GroupMembersOptions) {
    const { trackers: endpoints, secret } = options;
    this.#options = options;
    this.#trackers = new RpcPool({ endpoints, role: "storage", secret });
  }

  /** The others of its own group. */
  others(): Promise<readonly StorageAddress[]> {
    return this.of(this.#options.group);
  }

  /** Those that are online; none where no tracker answers, for then nobody can be asked. */
  async of(group: string): Promise<readonly StorageAddress[]> {
    const { storageId } = this.#options;
    const status = await this.#trackers.call("status", {}).catch(() => undefined);
    const members = status?.groups.find((each) => each.group === group)?.members ?? [];
    return members.filter((member) => member.online && member.storageId !== storageId);
  }

  [Symbol.dispose](): void {
    this.#trackers.close();
  }
}

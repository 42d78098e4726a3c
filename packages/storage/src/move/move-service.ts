import { systemClock } from "@dsm/clock";
import { type ClusterSecret, type FileInfo, limits, type StorageAddress } from "@dsm/protocol";
import { GroupLease } from "../group-lease.ts";
import { GroupMembers } from "../scrub/group-members.ts";
import { memberSource } from "../scrub/heal-source.ts";
import { Pace } from "../scrub/pace.ts";
import { Mover, type MoverOptions } from "./mover.ts";

interface MoveServiceOptions extends Omit<MoverOptions, "lease" | "sourcesOf" | "pace"> {
  readonly id: string;
  readonly incarnation: string;
  readonly root: string;
  readonly trackers: readonly string[];
  readonly secret: ClusterSecret;
  /** 0 leaves all files where they are. */
  readonly moveBytesPerSecond?: number | undefined;
  readonly isBusy: () => boolean;
  /** @throws DsmError STORAGE_FAILED when the group's file system is not there */
  readonly assertMounted: () => Promise<void>;
}

const bytesPerSecondDefault = 32 * 1024 * 1024;

/** A mover with all that it works with; undefined where this process is not to have one. */
export class MoveService implements AsyncDisposable {
  readonly #members: GroupMembers | undefined;
  readonly #mover: Mover | undefined;

  constructor(options: MoveServiceOptions) {
    const { id: storageId, trackers, isBusy } = options;
    const { moveBytesPerSecond = bytesPerSecondDefault } = options;
    // Of the workers of one storage the one that beats moves for all.
    if (trackers.length === 0 || moveBytesPerSecond === 0) return;
    const members = new GroupMembers({ ...options, storageId });
    const known = new MembersOf(members);
    this.#members = members;
    this.#mover = new Mover({
      ...options,
      lease: new GroupLease({
        ...options,
        storageId,
        name: "move-lease",
        leaseMs: limits.moveLeaseMs,
        clock: systemClock,
      }),
      pace: inTurn(
        new Pace({ clock: systemClock, bytesPerSecond: () => moveBytesPerSecond, isBusy }),
      ),
      sourcesOf: async (file, signal) =>
        (await known.of(file)).map((member) => memberSource(file, member, { ...options, signal })),
    });
  }

  get heldUp(): string | undefined {
    return this.#mover?.heldUp;
  }

  start(): void {
    this.#mover?.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mover?.[Symbol.asyncDispose]();
    this.#members?.[Symbol.dispose]();
  }
}

/** A pace is for one; here several files share one, and go through it one after the other. */
function inTurn(pace: Pick<Pace, "take">): Pick<Pace, "take"> {
  let last: Promise<void> = Promise.resolve();
  return {
    take(bytes, signal) {
      const turn = last.then(() => pace.take(bytes, signal));
      // Who leaves the line does not stop it.
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}

/** Asks a tracker once in a while, and not for each of many small files. */
class MembersOf {
  readonly #members: GroupMembers;
  #asked: { group: string; atMs: number; answer: Promise<readonly StorageAddress[]> } | undefined;

  constructor(members: GroupMembers) {
    this.#members = members;
  }

  of({ group }: FileInfo): Promise<readonly StorageAddress[]> {
    const nowMs = performance.now();
    const asked = this.#asked;
    const isYoung = asked !== undefined && nowMs - asked.atMs < limits.healthFreshnessMs;
    if (isYoung && asked.group === group) return asked.answer;
    const answer = this.#members.of(group);
    this.#asked = { group, atMs: nowMs, answer };
    return answer;
  }
}

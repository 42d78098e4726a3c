import { hasLife } from "@dsm/journal";
import type { Log } from "@dsm/log";
import { type ClusterSecret, DsmError, limits, type Member } from "@dsm/protocol";
import { RpcPool } from "@dsm/rpc";
import { askRoot } from "./ask-root.ts";

interface PeerWatchOptions {
  readonly id: string;
  readonly group: string;
  readonly root: string;
  readonly trackers: readonly string[];
  readonly secret: ClusterSecret;
  /** Of this life. */
  readonly incarnation: string;
  readonly log: Log;
}

/** A member of whom it is not known that it has the same file system. */
interface Unproved {
  readonly member: Member;
  readonly why: string;
  /** Since when, on the clock of this process that never jumps. */
  readonly sinceMs: number;
}

/** A new member is looked for again and again until it is seen, or `limits.peerSeenMs` are over. */
const againMs = 250;

/**
 * Whether the other members of the group have the file system that this storage has. Equal markers
 * do not prove that, since a copied disk has the marker too. Each life of a storage makes its part
 * of the journal before it joins, so two members share a file system when each sees the part of
 * the other: this one looks for theirs, and asks them whether they see its own.
 *
 * Who comes gives way: which of two halves is the right one cannot be told, and the one that is
 * there already has files of users. Two that join at once find each other afterwards; then the
 * later life gives way.
 */
export class PeerWatch implements Disposable {
  readonly #options: PeerWatchOptions;
  readonly #trackers: RpcPool | undefined;
  readonly #proved = new Set<string>();
  #unproved = new Map<string, Unproved>();
  /** Members that this one has told the log about. */
  #accused = new Set<string>();
  #apart: string | undefined;
  #timer: Timer | undefined;
  #isLooking = false;

  constructor(options: PeerWatchOptions) {
    const { trackers, secret } = options;
    this.#options = options;
    // Of the workers of one storage only one is known to trackers; it looks for all.
    if (trackers.length > 0) {
      const requestTimeoutMs = limits.peerAskTimeoutMs;
      this.#trackers = new RpcPool({
        endpoints: trackers,
        role: "storage",
        secret,
        requestTimeoutMs,
      });
    }
  }

  /** Why this storage must not serve, once it has joined; undefined as long as it may. */
  get apart(): string | undefined {
    return this.#apart;
  }

  /**
   * To be called before it joins, with its part of the journal made. Members of whom no tracker
   * tells yet are found by the looks that follow.
   * @throws DsmError BAD_CONFIG when a member has another file system
   */
  async assertTogether(): Promise<void> {
    for (;;) {
      await this.#look();
      if (this.#unproved.size === 0) return;
      const late = this.#late()[0];
      if (late !== undefined) throw this.#notTogether(late);
      await Bun.sleep(againMs);
    }
  }

  /** Looks at once, and again as members come; to be called when it has joined. */
  start(): void {
    if (this.#trackers === undefined) return;
    void this.#lookAgain();
    this.#timer = setInterval(() => void this.#lookAgain(), limits.peerLookMs);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#trackers?.close();
  }

  /** One at a time: the file system may hang. */
  async #lookAgain(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#look();
      this.#judge();
    } catch (err) {
      // The file system itself fails, and whoever watches that says so.
      this.#options.log.debug({ err }, "peers: cannot be looked for");
    } finally {
      this.#isLooking = false;
    }
  }

  async #look(): Promise<void> {
    const found = new Map<string, Unproved>();
    await Promise.all(
      (await this.#others()).map(async (member) => {
        const key = keyOf(member);
        if (this.#proved.has(key)) return;
        const why = await this.#whyApart(member);
        if (why === undefined) return;
        const sinceMs = this.#unproved.get(key)?.sinceMs ?? performance.now();
        found.set(key, { member, why, sinceMs });
      }),
    );
    this.#unproved = found;
  }

  /** All that some tracker has online, without this storage. */
  async #others(): Promise<Member[]> {
    const { id, group } = this.#options;
    const answers = (await this.#trackers?.callAll("status", {})) ?? [];
    const members = answers
      .flatMap(({ response }) => response?.groups ?? [])
      .filter((each) => each.group === group)
      .flatMap((each) => each.members)
      .filter(({ storageId, online }) => online && storageId !== id);
    return [...new Map(members.map((member) => [keyOf(member), member])).values()];
  }

  async #whyApart(member: Member): Promise<string | undefined> {
    const { root, id, incarnation, secret, group } = this.#options;
    if (!(await hasLife(root, member))) return "its part of the journal is not there";
    const key = keyOf(member);
    try {
      const own = [{ storageId: id, incarnation }];
      const { unseen } = await askRoot(member.dataUrl, own, { secret, group });
      if (unseen.length > 0) return "it does not see this storage's part of the journal";
      this.#proved.add(key);
    } catch (thrown) {
      // It is dead, or its own mount has gone: that is no proof against this one.
      const { code } = DsmError.from(thrown, "asking a member");
      if (code === "UNKNOWN_ROUTE") this.#proved.add(key);
    }
    return undefined;
  }

  #late(): Unproved[] {
    const untilMs = performance.now() - limits.peerSeenMs;
    return [...this.#unproved.values()].filter(({ sinceMs }) => sinceMs <= untilMs);
  }

  /** The later life gives way, by the same rule on both sides. */
  #judge(): void {
    const { incarnation } = this.#options;
    const late = this.#late();
    const elder = late.find(({ member }) => member.incarnation < incarnation);
    this.#apart = elder === undefined ? undefined : whatOf(elder);
    for (const younger of late.filter(({ member }) => member.incarnation > incarnation)) {
      this.#accuse(younger);
    }
    // Who is there and not seen yet is not left alone for a whole interval.
    if (this.#unproved.size > late.length)
      setTimeout(() => void this.#lookAgain(), againMs).unref();
  }

  #accuse({ member, why }: Unproved): void {
    const { log, root } = this.#options;
    if (this.#accused.has(member.incarnation)) return;
    this.#accused.add(member.incarnation);
    const { storageId: storage, dataUrl } = member;
    log.error({ root, storage, dataUrl, why }, "peers: a member has another file system");
  }

  #notTogether(late: Unproved): DsmError {
    const { root, group } = this.#options;
    const what = `${root} is not the file system of the running members of group ${group}`;
    return new DsmError("BAD_CONFIG", `${what}: ${whatOf(late)}`, { remedy });
  }
}

const remedy =
  "mount the group's one file system on both hosts: look there for a brick or a copied disk that is mounted by itself, another volume, or a mount that is missing; where the other storage is the wrong one, stop that first";

function keyOf({ storageId, incarnation }: Member): string {
  return `${storageId} ${incarnation}`;
}

function whatOf({ member, why }: Unproved): string {
  return `storage ${member.storageId} at ${member.dataUrl} has another one: ${why}`;
}

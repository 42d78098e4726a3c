import type { Catalog, Change, CommitOutcome, CurrentVersion } from "@dsm/catalog";
import { type BlobId, DsmError, limits } from "@dsm/protocol";
import type { Host, Life } from "./host.ts";
import type { Network } from "./network.ts";

/** The methods that trackers, ID servers and the simulated data ports call. */
type Used = Pick<Catalog, "groupOf" | "assignGroup" | "current" | "commit" | "leaseSegment">;

/** Which part of all statements is done, and the connection breaks before that is told. */
const answerLossChance = 0.01;

/**
 * A catalog in memory that keeps the contract of packages/catalog for what is used here; that the
 * real ones keep it is shown by their conformance suite. Each statement is one step.
 */
export class SimCatalog {
  readonly host: Host;
  /** It answers that it is not there. */
  isDown = false;
  /** When it was down last. */
  downMs = -1;
  readonly #network: Network;
  readonly #groups = new Map<string, string>();
  readonly #newest = new Map<string, CurrentVersion>();
  readonly #outcomes = new Map<BlobId, CommitOutcome>();
  #nextId = 1;

  constructor(network: Network, host: Host) {
    this.#network = network;
    this.host = host;
  }

  /** The catalog as one process has it: each statement is a way there and back. */
  portOf(life: Life): Catalog {
    const ask = <T>(work: () => T) => this.#ask(life, work);
    const port: Used = {
      groupOf: (user) => ask(() => this.#groups.get(user)),
      assignGroup: (user, group) => ask(() => this.#assign(user, group)),
      current: (user, fileId) => ask(() => this.currentOf(user, fileId)),
      commit: (changes) => ask(() => changes.map((change) => this.#commit(change))),
      leaseSegment: (_name, count) => ask(() => this.#lease(count)),
    };
    // Nothing of the rest of a catalog is called in a simulation.
    return port as Catalog;
  }

  /** Past the network, for whoever checks. */
  currentOf(user: string, fileId: string): CurrentVersion | undefined {
    return this.#newest.get(`${user}/${fileId}`);
  }

  /** Users and their groups, in the order in which they came to be. */
  get assignments(): Iterable<[user: string, group: string]> {
    return this.#groups;
  }

  groupInForce(user: string): string | undefined {
    return this.#groups.get(user);
  }

  #ask<T>(life: Life, work: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const gone = (why: string) => reject(new DsmError("CATALOG_UNAVAILABLE", `the catalog ${why}`));
    let isDone = false;
    const alarm = life.clock.after(limits.catalogQueryTimeoutMs, () => {
      if (isDone) this.#network.figures.count("answer lost");
      gone("did not answer");
    });
    const back = (arrive: () => void) =>
      this.#network.bring(this.host, life.host, () => {
        if (life.isOver) return;
        alarm.cancel();
        arrive();
      });
    this.#network.bring(life.host, this.host, () => {
      if (this.isDown) return back(() => gone("is down"));
      const result = work();
      isDone = true;
      if (this.#network.isQuiet || !this.#network.random.chance(answerLossChance)) {
        return back(() => resolve(result));
      }
      this.#network.figures.count("answer lost");
      this.#network.noteTrouble(life.host, this.host);
      back(() => gone("closed the connection"));
    });
    return promise;
  }

  #assign(user: string, group: string): string {
    const known = this.#groups.get(user);
    if (known === undefined) this.#groups.set(user, group);
    return known ?? group;
  }

  #commit(change: Change): CommitOutcome {
    const { id, user, fileId, version } =
      change.kind === "put" ? { ...change.file, id: change.file.blobId } : change;
    const earlier = this.#outcomes.get(id);
    if (earlier !== undefined) return earlier;
    const newest = this.currentOf(user, fileId);
    const follows =
      version === (newest?.version ?? 0) + 1 && change.replaces === newest?.file?.blobId;
    if (!follows) return "superseded";
    const next = change.kind === "put" ? { version, file: change.file } : { version };
    this.#newest.set(`${user}/${fileId}`, next);
    this.#outcomes.set(id, "in force");
    return "in force";
  }

  #lease(count: number): { first: number; count: number } {
    const first = this.#nextId;
    this.#nextId += count;
    return { first, count };
  }
}

import { type Alarm, type Clock, systemClock } from "@dsm/clock";
import type { Log } from "@dsm/log";
import { type ClusterSecret, DsmError, type StorageState } from "@dsm/protocol";
import { type Dial, dialTcp, type RpcAsker } from "@dsm/rpc";

export interface BeatsOptions {
  readonly trackers: readonly string[];
  readonly secret: ClusterSecret;
  /** What to say of this storage right now. */
  readonly state: () => Promise<StorageState>;
  /** An operator asked a tracker to drain this storage, or to end that. */
  readonly onDrainWish: (draining: boolean) => void;
  readonly log: Log;
  readonly dial?: Dial;
  readonly clock?: Clock;
}

/** Until a tracker has answered a join with the interval that it wants. */
const firstIntervalMs = 1_000;
const requestTimeoutMs = 2_000;

/**
 * Tells every tracker that this storage lives, each on its own, so that a dead tracker holds up
 * no other. A tracker that does not know this storage answers JOIN_FIRST and is joined at once.
 */
export class Beats implements AsyncDisposable {
  readonly #heralds: readonly Herald[];

  constructor(options: BeatsOptions) {
    this.#heralds = options.trackers.map((endpoint) => new Herald(endpoint, options));
  }

  /** One beat to every tracker now; resolves when each has answered or failed. */
  async beatNow(): Promise<void> {
    await Promise.all(this.#heralds.map((herald) => herald.beat()));
  }

  /** Tells every tracker that this storage stops in order. */
  async leave(): Promise<void> {
    await Promise.all(this.#heralds.map((herald) => herald.leave()));
  }

  kill(): void {
    for (const herald of this.#heralds) herald.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
  }
}

/** The conversation with one tracker. */
class Herald {
  readonly #options: BeatsOptions;
  readonly #endpoint: string;
  readonly #client: RpcAsker;
  readonly #clock: Clock;
  #alarm: Alarm | undefined;
  #intervalMs = firstIntervalMs;
  #reached: boolean | undefined;
  /** It has not answered a join of this storage since it last asked for one. */
  #mustJoin = true;
  #stopped = false;

  constructor(endpoint: string, options: BeatsOptions) {
    this.#options = options;
    this.#endpoint = endpoint;
    const { secret, dial = dialTcp, clock = systemClock } = options;
    this.#client = dial({ endpoint, role: "storage", secret, requestTimeoutMs });
    this.#clock = clock;
    this.#later(0);
  }

  async beat(): Promise<void> {
    try {
      await this.#say(await this.#options.state());
      this.#note(true);
    } catch (error) {
      this.#note(false, error);
    }
  }

  async leave(): Promise<void> {
    this.#stopBeating();
    try {
      const { storageId, incarnation } = await this.#options.state();
      await this.#client.call("leave", { storageId, incarnation });
    } catch (err) {
      const { log } = this.#options;
      log.debug({ err, tracker: this.#endpoint }, "tracker not told of the leave; it will notice");
    }
    this.#client.close();
  }

  stop(): void {
    this.#stopBeating();
    this.#client.close();
  }

  #stopBeating(): void {
    this.#stopped = true;
    this.#alarm?.cancel();
  }

  #later(delayMs: number): void {
    if (this.#stopped) return;
    this.#alarm = this.#clock.after(
      delayMs,
      () => void this.beat().then(() => this.#later(this.#intervalMs)),
    );
  }

  async #say(state: StorageState): Promise<void> {
    if (!this.#mustJoin) {
      try {
        return await this.#heartbeat(state);
      } catch (error) {
        if (!(error instanceof DsmError) || error.code !== "JOIN_FIRST") throw error;
        this.#mustJoin = true;
      }
    }
    // A join behind the leave would bring back what is gone.
    if (this.#stopped) return;
    // The answer has the interval: as long as it is lost the join is said again.
    const { heartbeatIntervalMs } = await this.#client.call("join", state);
    this.#intervalMs = heartbeatIntervalMs;
    this.#mustJoin = false;
  }

  async #heartbeat(state: StorageState): Promise<void> {
    const { drain } = await this.#again(() => this.#client.call("heartbeat", state));
    if (drain !== undefined) this.#options.onDrainWish(drain);
  }

  /**
   * That a connection was lost, as when the tracker's host was without power, is often noticed by
   * the first beat after it. The tracker may run again, and must not wait a beat longer for it.
   */
  async #again<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const isLost = error instanceof DsmError && error.code === "UNREACHABLE";
      if (!isLost || this.#reached !== true || this.#stopped) throw error;
      return call();
    }
  }

  /** Says so when a tracker is lost or found, and is silent as long as nothing changes. */
  #note(reached: boolean, err?: unknown): void {
    if (this.#reached === reached || this.#stopped) return;
    this.#reached = reached;
    const { log } = this.#options;
    if (reached) log.info({ tracker: this.#endpoint }, "tracker reached");
    else log.warn({ err, tracker: this.#endpoint }, "tracker not reached, tried again each beat");
  }
}

import { limits } from "@dsm/protocol";

/** The part of a session of node:http2 that is needed here. */
interface Pingable {
  readonly destroyed: boolean;
  ping(callback: (error: Error | null) => void): unknown;
}

/** Of one session node:http2 lets 10 wait for their answer; one is left for the end of it. */
const pingsMax = 8;

/**
 * Keeps what one HTTP/2 connection has written and its client has not read within a bound. The
 * window that a client announces may be 2 GiB, and Bun 1.4.5 buffers all of it in memory when the
 * client then reads nothing; no property tells. So each run of bytes is followed by a PING (RFC
 * 9113, section 6.7): its answer proves that the client has read what came before it.
 */
export class H2Pace {
  readonly #session: Pingable;
  readonly #listeners = new Set<() => void>();
  /** Written, and not yet proven to be read. */
  #unprovenBytes = 0;
  #sincePingBytes = 0;
  /** Not answered yet. */
  #pings = 0;

  constructor(session: Pingable) {
    this.#session = session;
  }

  get isFull(): boolean {
    return this.#unprovenBytes >= limits.h2UnprovenMaxBytes;
  }

  wrote(sizeBytes: number): void {
    this.#unprovenBytes += sizeBytes;
    this.#sincePingBytes += sizeBytes;
    this.#ask();
  }

  #ask(): void {
    if (this.#sincePingBytes < limits.h2PingEveryBytes || this.#pings >= pingsMax) return;
    if (this.#session.destroyed) return;
    const askedBytes = this.#sincePingBytes;
    this.#sincePingBytes = 0;
    this.#pings++;
    this.#session.ping((error) => {
      // The session is over then, and all its streams are told of that.
      if (error !== null) return;
      this.#pings--;
      this.#unprovenBytes -= askedBytes;
      this.#ask();
      for (const listener of this.#listeners) listener();
    });
  }

  /** Calls `listener` whenever there may be room again. @returns what ends that */
  onRoom(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

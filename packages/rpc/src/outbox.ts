import { limits } from "@dsm/protocol";

/** What the outbox needs of a Bun socket. */
export interface OutboxSocket {
  /** Returns how many bytes it took, -1 when the socket is closed. */
  write(bytes: Uint8Array): number;
  /** Sends FIN; what was written before still arrives. */
  shutdown(): void;
}

/**
 * The bytes that wait for one socket, which buffers nothing itself. What is sent in one tick
 * leaves in one write. It does not bound itself: whoever fills it looks at `queuedBytes`.
 */
export class Outbox {
  readonly #socket: OutboxSocket;
  readonly #onStalled: () => void;
  readonly #stallMs: number;
  #chunks: Buffer[] = [];
  #queuedBytes = 0;
  #flushPlanned = false;
  /** The socket is full; its drain event says when to go on. */
  #blocked = false;
  #onFinished: (() => void) | undefined;
  #over = false;
  #stallTimer: Timer | undefined;

  /** @param onStalled the peer has taken nothing of what waits for `stallMs` */
  constructor(socket: OutboxSocket, onStalled: () => void, stallMs: number = limits.outboxStallMs) {
    this.#socket = socket;
    this.#onStalled = onStalled;
    this.#stallMs = stallMs;
  }

  /** Bytes that the socket has not taken yet. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Nothing is sent any more once the outbox is finished or discarded. */
  send(bytes: Buffer): void {
    if (this.#onFinished !== undefined || this.#over) return;
    this.#chunks.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#flushPlanned || this.#blocked) return;
    this.#flushPlanned = true;
    queueMicrotask(() => {
      this.#flushPlanned = false;
      this.flush();
    });
  }

  /** Gives the socket now what it takes; what it does not take waits for its drain event. */
  flush(): void {
    if (!this.#blocked) this.#flush();
  }

  /** The socket has room again. */
  drained(): void {
    this.#blocked = false;
    this.#flush();
  }

  /** Sends what waits, then FIN, and calls back when that is done. */
  finish(onFinished: () => void): void {
    if (this.#onFinished !== undefined || this.#over) return;
    this.#onFinished = onFinished;
    this.flush();
  }

  /** The socket is gone, and with it whatever waited. */
  discard(): void {
    this.#over = true;
    this.#chunks = [];
    this.#queuedBytes = 0;
    this.#watchStall(false);
  }

  #flush(): void {
    if (this.#over) return;
    if (this.#queuedBytes > 0 && !this.#write()) return;
    if (this.#onFinished === undefined) return;
    this.discard();
    this.#socket.shutdown();
    this.#onFinished();
  }

  /** True when the socket took all. */
  #write(): boolean {
    const [first] = this.#chunks;
    const bytes =
      this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    const took = this.#socket.write(bytes);
    if (took < 0) {
      this.discard();
      return false;
    }
    this.#queuedBytes = bytes.length - took;
    this.#blocked = this.#queuedBytes > 0;
    this.#chunks = this.#blocked ? [bytes.subarray(took)] : [];
    this.#watchStall(this.#blocked);
    return !this.#blocked;
  }

  #watchStall(blocked: boolean): void {
    clearTimeout(this.#stallTimer);
    this.#stallTimer = blocked ? setTimeout(this.#onStalled, this.#stallMs).unref() : undefined;
  }
}

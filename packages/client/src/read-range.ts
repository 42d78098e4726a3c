import {
  type ClusterSecret,
  DsmError,
  type FileInfo,
  limits,
  type Location,
  type StorageAddress,
} from "@dsm/protocol";
import { withAttempts } from "./attempts.ts";
import { firstAnswer } from "./first-answer.ts";
import { KnownStorages, type LocatePort } from "./known-storages.ts";
import type { ReadObserver } from "./read-observer.ts";
import { ReadRight } from "./read-right.ts";
import { ReadWindow } from "./read-window.ts";
import type { StorageRests } from "./storage-rests.ts";
import type { Surroundings } from "./surroundings.ts";

export interface RangeRequest {
  /** The version to read: no byte of another one is ever given. */
  readonly file: FileInfo;
  readonly start: number;
  readonly endExclusive: number;
  readonly signal?: AbortSignal | undefined;
}

/** What all reads of one client share. */
export interface ReadContext extends LocatePort {
  readonly secret: ClusterSecret;
  readonly rests: StorageRests;
  readonly surroundings: Surroundings;
  readonly observer: ReadObserver;
  readonly hedgeAfterMs: number;
  readonly stallMs: number;
}

/**
 * The bytes of a range of one version, asked for window by window, so that little is read in vain
 * when the reader leaves. When a storage dies, stalls or answers nonsense, another one goes on at
 * the same offset; the reader sees neither gap nor repeat.
 */
export class RangeReader {
  readonly #context: ReadContext;
  readonly #request: RangeRequest;
  readonly #right: ReadRight;
  readonly #storages: KnownStorages;
  readonly #leaving = new AbortController();
  readonly #onSignal = () => this.#leave(this.#request.signal?.reason);
  /** Those that a storage has answered and whose bytes were not all handed over. */
  readonly #windows = new Set<ReadWindow>();
  #next: Promise<ReadWindow> | undefined;
  /** The storage that answered last goes on, as long as it does well. */
  #preferredId: string | undefined;
  #offset: number;
  #isOver = false;

  constructor(context: ReadContext, request: RangeRequest, location?: Location) {
    this.#context = context;
    this.#request = request;
    const { file } = request;
    this.#right = new ReadRight(context.secret, file, () => context.surroundings.clock.now());
    this.#storages = new KnownStorages(context, file, this.#right, location);
    this.#offset = request.start;
  }

  /**
   * Resolves with the first bytes of a storage, so that whoever can still say "not available"
   * instead of a broken body does.
   * @throws DsmError PRECONDITION_FAILED when the file is another version by now,
   * GROUP_UNAVAILABLE, …
   */
  async open(): Promise<AsyncGenerator<Uint8Array>> {
    const { endExclusive, signal } = this.#request;
    signal?.throwIfAborted();
    if (this.#offset >= endExclusive) return nothing();
    signal?.addEventListener("abort", this.#onSignal, { once: true });
    try {
      const firstEnd = Math.min(this.#offset + limits.readWindowFirstBytes, endExclusive);
      return this.#leavable(this.#body(await this.#open(this.#offset, firstEnd)));
    } catch (error) {
      this.#finish();
      throw error;
    }
  }

  async *#body(first: ReadWindow): AsyncGenerator<Uint8Array> {
    try {
      let window = first;
      for (;;) {
        for await (const piece of window.pieces()) {
          this.#offset += piece.length;
          this.#readAhead(window);
          yield piece;
        }
        this.#leaving.signal.throwIfAborted();
        this.#windows.delete(window);
        if (window.failure !== undefined) this.#failed(window, window.failure);
        else this.#context.rests.answered(window.storage);
        if (this.#offset >= this.#request.endExclusive) return;
        window = await this.#after(window);
      }
    } finally {
      this.#finish();
    }
  }

  /** The rest of a window that failed, else the window behind it. */
  #after(window: ReadWindow): Promise<ReadWindow> {
    if (this.#offset < window.endExclusive) return this.#open(this.#offset, window.endExclusive);
    const next = this.#next ?? this.#openBehind(window);
    this.#next = undefined;
    return next;
  }

  /** Half a window is left: time to ask for the next one, so that the reader need not wait. */
  #readAhead(window: ReadWindow): void {
    const leftBytes = window.endExclusive - this.#offset;
    if (this.#next !== undefined || leftBytes > window.sizeBytes / 2) return;
    if (window.endExclusive >= this.#request.endExclusive) return;
    this.#next = this.#openBehind(window);
    // Whether it failed is told when its turn has come, if it comes.
    this.#next.catch(() => {});
  }

  #openBehind({ endExclusive: start }: ReadWindow): Promise<ReadWindow> {
    return this.#open(start, Math.min(start + limits.readWindowBytes, this.#request.endExclusive));
  }

  /** @throws DsmError when no storage that anybody knows of can serve it */
  #open(start: number, endExclusive: number): Promise<ReadWindow> {
    const { surroundings } = this.#context;
    const { signal } = this.#leaving;
    return withAttempts(
      async (number) => {
        // The trackers may know more by now. If they cannot be asked, what was known must do.
        const trackersError = number === 1 ? undefined : await this.#refreshStorages();
        try {
          return await this.#race(start, endExclusive);
        } catch (error) {
          if (await this.#storages.follow()) return this.#race(start, endExclusive);
          throw trackersError ?? error;
        }
      },
      { surroundings, signal },
    );
  }

  /** @returns why it was not possible, if another try may mend that */
  async #refreshStorages(): Promise<DsmError | undefined> {
    try {
      await this.#storages.refresh();
      return undefined;
    } catch (error) {
      return error instanceof DsmError && error.retryable ? error : undefined;
    }
  }

  async #race(start: number, endExclusive: number): Promise<ReadWindow> {
    const { file } = this.#request;
    const { rests, observer, hedgeAfterMs, stallMs, surroundings } = this.#context;
    const storages = rests.order(await this.#storages.all(), this.#preferredId);
    const ask = (storage: StorageAddress) => {
      const capability = this.#right.capability();
      const window = { file, start, endExclusive, capability, stallMs, surroundings };
      return new ReadWindow(storage, window);
    };
    const { signal } = this.#leaving;
    const window = await firstAnswer(storages, ask, {
      hedgeAfterMs,
      clock: surroundings.clock,
      signal,
      onHedge: (second) => observer.onHedge?.(second.storageId),
      onFailed: (failed, error) => this.#failed(failed, error),
      onSlow: (slow) => rests.failed(slow.storage, "TIMEOUT"),
    });
    this.#preferredId = window.storage.storageId;
    this.#windows.add(window);
    if (signal.aborted) window.close(signal.reason);
    return window;
  }

  #failed(window: ReadWindow, error: DsmError): void {
    const { rests, observer } = this.#context;
    rests.failed(window.storage, error.code);
    if (window.wasRefused) this.#right.refused(window.capability);
    observer.onFailover?.(window.storage.storageId, error);
  }

  /** A reader who leaves while its next bytes are waited for need not wait for them. */
  #leavable(body: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
    const leave = () => this.#leave(new DOMException("the reader left", "AbortError"));
    return {
      next: () => body.next(),
      return: (value: unknown) => {
        leave();
        return body.return(value);
      },
      throw: (error: unknown) => {
        leave();
        return body.throw(error);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
      async [Symbol.asyncDispose]() {
        await this.return(undefined);
      },
    };
  }

  #leave(reason: Error): void {
    if (this.#isOver) return;
    if (this.#offset < this.#request.endExclusive) {
      const unreadBytes = this.#windows.values().reduce((sum, it) => sum + it.unreadBytes, 0);
      this.#context.observer.onAbandoned?.(unreadBytes);
    }
    this.#finish(reason);
  }

  /** Whatever is still asked for is given up at once. */
  #finish(reason: Error = new DOMException("the read is over", "AbortError")): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#request.signal?.removeEventListener("abort", this.#onSignal);
    this.#leaving.abort(reason);
    for (const window of this.#windows) window.close(reason);
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

import { join } from "node:path";

interface Answer {
  readonly call: number;
  /** The name of errno, where it failed. */
  readonly code: string | undefined;
}

/**
 * One thread for all storages of this process, started by the first that needs it; it keeps no
 * process alive. There is no asynchronous syncfs(2), neither in Node's API nor in the kernel.
 */
class SyncfsThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>();
  #calls = 0;

  constructor() {
    this.#worker = new Worker(workerPath());
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.#take(data));
    this.#worker.addEventListener("error", ({ message }) => this.#fail(message));
    this.#worker.unref();
  }

  sync(fd: number): Promise<void> {
    const answer = Promise.withResolvers<void>();
    this.#waiting.set(++this.#calls, answer);
    // While somebody waits for it the thread does keep the process alive.
    if (this.#waiting.size === 1) this.#worker.ref();
    this.#worker.postMessage({ call: this.#calls, fd }, []);
    return answer.promise;
  }

  #take({ call, code }: Answer): void {
    const answer = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (code === undefined) answer?.resolve();
    else answer?.reject(Object.assign(new Error(`syncfs: ${code}`), { code }));
  }

  /** The thread could not begin, or has broken: nobody must wait for it, and a new one is made. */
  #fail(message: string): void {
    if (thread === this) thread = undefined;
    for (const answer of this.#waiting.values()) answer.reject(new Error(`syncfs: ${message}`));
    this.#waiting.clear();
    this.#worker.terminate();
  }
}

/** In the single executable it is an entry point of its own: see bin/build. */
function workerPath(): string {
  if (!Bun.isStandaloneExecutable) return new URL("./syncfs-worker.ts", import.meta.url).href;
  return join(import.meta.dir, "packages/storage/src/sync/syncfs-worker.js");
}

let thread: SyncfsThread | undefined;

/**
 * Calls syncfs(2) on a thread of its own. Calls are done one after another.
 * @throws Error with `code` as of errno(3)
 */
export function syncfs(fd: number): Promise<void> {
  thread ??= new SyncfsThread();
  return thread.sync(fd);
}

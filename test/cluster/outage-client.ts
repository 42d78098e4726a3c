import { DsmError } from "@dsm/protocol";
import type { Content, Door } from "./outage-doors.ts";

/** What became of the operations of one client. */
export interface Tally {
  done: number;
  failed: number;
  slowestMs: number;
  readonly codes: Map<string, number>;
}

const turnsPerFile = 12;

/**
 * Uploads, overwrites, deletes and reads files of its own, one operation after another, and knows
 * what each may hold: after one that failed both states are possible. Such a file is left as it
 * is, so that the end of the test sees what became of it.
 */
export class OutageClient {
  readonly files = new Map<string, Content[]>();
  readonly tally: Tally = { done: 0, failed: 0, slowestMs: 0, codes: new Map() };
  readonly #door: Door;
  readonly #name: string;
  #lastWent = false;
  #file = 0;

  constructor(door: Door, name: string) {
    this.#door = door;
    this.#name = name;
  }

  /** The last change went well. */
  isGoingOn(): boolean {
    return this.#lastWent;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (let turn = 0; !signal.aborted; turn++) {
      if (turn % turnsPerFile === 0) this.#file++;
      const fileId = `${this.#name}/${this.#file}`;
      if (turn % 3 === 2) await this.#read(fileId);
      else if (turn % 7 === 4) await this.#change(fileId, null, () => this.#door.delete(fileId));
      else {
        const bytes = crypto.getRandomValues(new Uint8Array(turn % 5 === 0 ? 60_000 : 700));
        const sha256 = Bun.SHA256.hash(bytes, "hex");
        await this.#change(fileId, sha256, () => this.#door.put(fileId, bytes));
      }
    }
  }

  async #change(fileId: string, to: Content, work: () => Promise<void>): Promise<void> {
    const before = this.files.get(fileId) ?? [null];
    this.files.set(fileId, [...before, to]);
    const code = await this.#timed(work);
    this.#lastWent = code === undefined || code === "FILE_NOT_FOUND";
    if (code === "FILE_NOT_FOUND" && !(to === null && before.includes(null))) {
      throw new Error(`${fileId} is not there, and cannot be gone`);
    }
    if (this.#lastWent) this.files.set(fileId, [to]);
    else this.#file++;
  }

  async #read(fileId: string): Promise<void> {
    await this.#timed(async () => {
      const read = await this.#door.read(fileId);
      const possible = this.files.get(fileId) ?? [null];
      if (!possible.includes(read)) throw new Error(`${fileId} holds what nobody wrote last`);
    });
  }

  /** @returns the code of a failure that another try may mend, or of a file that is not there */
  async #timed(work: () => Promise<void>): Promise<string | undefined> {
    const startedAtMs = performance.now();
    try {
      await work();
      this.tally.done++;
      return undefined;
    } catch (error) {
      if (!(error instanceof DsmError)) throw error;
      if (error.code === "FILE_NOT_FOUND") return error.code;
      if (!error.retryable || error.message === "") throw error;
      this.tally.failed++;
      this.tally.codes.set(error.code, (this.tally.codes.get(error.code) ?? 0) + 1);
      return error.code;
    } finally {
      this.tally.slowestMs = Math.max(this.tally.slowestMs, performance.now() - startedAtMs);
    }
  }
}

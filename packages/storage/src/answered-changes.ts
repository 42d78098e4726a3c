import { createReadStream } from "node:fs";
import { type FileHandle, open, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Change } from "@dsm/catalog";
import type { Log } from "@dsm/log";
import { systemErrorCode } from "@dsm/protocol";
import { idOf, placeOf } from "./commit-group.ts";

interface AnsweredPlace {
  readonly root: string;
  readonly storageId: string;
  readonly incarnation: string;
}

/**
 * Which changes of one life the catalog has put into force, noted before anybody is told. One of
 * these without a row proves that the catalog went back, and one that is not here was never
 * acknowledged. Nothing waits for a sync: a process that is killed leaves what it wrote to the
 * system, and after a power cut, which is known by the boot, the file proves only what it holds.
 */
export class AnsweredChanges implements AsyncDisposable {
  readonly #path: string;
  readonly #log: Log;
  #file: FileHandle | undefined;

  private constructor(path: string, log: Log, file: FileHandle) {
    this.#path = path;
    this.#log = log;
    this.#file = file;
  }

  /** @param isLocal whether a write is with this host's kernel, and not with a process of FUSE */
  static async open(place: AnsweredPlace, isLocal: boolean, log: Log): Promise<AnsweredChanges> {
    const path = pathOf(place);
    const file = await open(path, "ax", 0o644);
    const answered = new AnsweredChanges(path, log, file);
    await answered.#write(`${isLocal ? await bootId() : "unknown"}\n`);
    return answered;
  }

  async note(changes: readonly Change[]): Promise<void> {
    if (changes.length > 0) await this.#write(changes.map((one) => `${keyOf(one)}\n`).join(""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #write(lines: string): Promise<void> {
    try {
      await this.#file?.appendFile(lines);
    } catch (err) {
      // A file with gaps would prove of an acknowledged change that it never was.
      const file = this.#file;
      this.#file = undefined;
      await file?.close().catch(() => undefined);
      await unlink(this.#path).catch(() => undefined);
      this.#log.warn({ err }, "answers are not noted: after a crash more goes to lost+found");
    }
  }
}

interface Proofs {
  readonly acknowledged: readonly Change[];
  /** Whether all others were certainly never acknowledged. */
  readonly isComplete: boolean;
}

/** What an ended life says of changes that have no row. */
export async function proofsOf(place: AnsweredPlace, changes: readonly Change[]): Promise<Proofs> {
  const byKey = new Map(changes.map((change) => [keyOf(change), change]));
  const acknowledged: Change[] = [];
  let boot: string | undefined;
  try {
    for await (const line of createInterface({ input: createReadStream(pathOf(place)) })) {
      boot ??= line;
      const change = byKey.get(line);
      if (change !== undefined) acknowledged.push(change);
    }
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  }
  return { acknowledged, isComplete: boot !== undefined && boot === (await bootId()) };
}

function keyOf(change: Change): string {
  return `${idOf(change)} ${placeOf(change).version}`;
}

function pathOf({ root, storageId, incarnation }: AnsweredPlace): string {
  return join(root, "journal", storageId, `answered-${incarnation}.txt`);
}

/** Undefined where the system does not say it: then no file is ever complete. */
async function bootId(): Promise<string | undefined> {
  try {
    return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  } catch {
    return undefined;
  }
}

import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, readFile, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Change } from "@dsm/catalog";
import { type Clock, systemClock } from "@dsm/clock";
import type { Log } from "@dsm/log";
import { limits, systemErrorCode } from "@dsm/protocol";
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
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #boot: string;
  #file: FileHandle | undefined;
  #beganMs = 0;
  #bytes = 0;

  private constructor(path: string, boot: string, log: Log, clock: Pick<Clock, "monotonicMs">) {
    this.#path = path;
    this.#boot = boot;
    this.#log = log;
    this.#clock = clock;
  }

  /** @param isLocal whether a write is with this host's kernel, and not with a process of FUSE */
  static async open(
    place: AnsweredPlace,
    isLocal: boolean,
    log: Log,
    clock: Pick<Clock, "monotonicMs"> = systemClock,
  ): Promise<AnsweredChanges> {
    const boot = isLocal ? await bootId() : undefined;
    const answered = new AnsweredChanges(pathOf(place), boot ?? "unknown", log, clock);
    await answered.#begin();
    return answered;
  }

  async note(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    await this.#write(changes.map((one) => `${keyOf(one)}\n`).join(""));
    const ageMs = this.#clock.monotonicMs() - this.#beganMs;
    if (this.#bytes >= limits.answersRolledBytes && ageMs >= answersRolledAfterMs) {
      await this.#roll();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #begin(): Promise<void> {
    this.#file = await open(this.#path, "ax", 0o644);
    this.#beganMs = this.#clock.monotonicMs();
    this.#bytes = 0;
    await this.#write(`${this.#boot}\n`);
  }

  /** Only what a next start may doubt has to be kept; see lastOpen in earlier-lives.ts. */
  async #roll(): Promise<void> {
    await this.#orGiveUp(async () => {
      await this.#file?.close();
      await rename(this.#path, beforeOf(this.#path));
      await this.#begin();
    });
  }

  async #write(lines: string): Promise<void> {
    this.#bytes += lines.length;
    await this.#orGiveUp(async () => this.#file?.appendFile(lines));
  }

  async #orGiveUp(work: () => Promise<void>): Promise<void> {
    try {
      await work();
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
  for (const path of [beforeOf(pathOf(place)), pathOf(place)]) {
    // The later file decides: without it nobody knows what was noted last.
    boot = undefined;
    for await (const line of linesOf(path)) {
      boot ??= line;
      const change = byKey.get(line);
      if (change !== undefined) acknowledged.push(change);
    }
  }
  return { acknowledged, isComplete: boot !== undefined && boot === (await bootId()) };
}

async function* linesOf(path: string): AsyncGenerator<string, void, undefined> {
  try {
    yield* createInterface({ input: createReadStream(path) });
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  }
}

/**
 * Removes what lives have noted that are settled.
 * @param isEnded whether a life, by its incarnation, will write no more
 */
export async function forgetAnswers(
  { root, storageId }: Pick<AnsweredPlace, "root" | "storageId">,
  isEnded: (incarnation: string, writtenAtMs: number) => boolean,
): Promise<void> {
  const folder = join(root, "journal", storageId);
  for (const name of await readdir(folder)) {
    const incarnation = /^answered-(.+?)(?:\.before)?\.txt$/.exec(name)?.[1];
    if (incarnation === undefined) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path);
    if (isEnded(incarnation, mtimeMs)) await unlink(path);
  }
}

/** Two files hold at least the doubts that a next start can have. */
const answersRolledAfterMs = 2 * limits.doubtWindowMs;

function keyOf(change: Change): string {
  return `${idOf(change)} ${placeOf(change).version}`;
}

function pathOf({ root, storageId, incarnation }: AnsweredPlace): string {
  return join(root, "journal", storageId, `answered-${incarnation}.txt`);
}

function beforeOf(path: string): string {
  return path.replace(/\.txt$/, ".before.txt");
}

/** Undefined where the system does not say it: then no file is ever complete. */
async function bootId(): Promise<string | undefined> {
  try {
    return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  } catch {
    return undefined;
  }
}

import { type GroupMark, groupMark } from "@dsm/delivery";
import type { Log } from "@dsm/log";
import { DsmError, limits } from "@dsm/protocol";

interface RootWatchOptions {
  readonly root: string;
  readonly group: string;
  readonly log: Log;
  /** Why this file system is not the one of the other members; undefined when it is. */
  readonly apart: () => string | undefined;
  /** Told each time that a look finds the file system gone. */
  readonly onGone: (why: DsmError) => void;
}

/**
 * Whether the file system that this storage has proved at its start is still mounted at its root.
 * A mount that goes away leaves a bare folder, or one whose every use fails, or one that hangs:
 * each is told from the marker alone. One look at a time, so that a file system that hangs holds
 * one thread of this process and no more.
 */
export class RootWatch implements Disposable {
  readonly #options: RootWatchOptions;
  readonly #mark: GroupMark;
  readonly #timer: Timer;
  #looking: Promise<GroupMark | undefined> | undefined;
  #gone: DsmError | undefined;

  private constructor(options: RootWatchOptions, mark: GroupMark) {
    this.#options = options;
    this.#mark = mark;
    this.#timer = setInterval(() => void this.look().catch(options.onGone), limits.rootLookMs);
    this.#timer.unref();
  }

  /** To be opened when the root is proved. @throws DsmError STORAGE_FAILED */
  static async open(options: RootWatchOptions): Promise<RootWatch> {
    const mark = await groupMark(options.root);
    if (mark === undefined) throw goneFrom(options, "its marker is gone");
    return new RootWatch(options, mark);
  }

  /** As the newest look found it. @throws DsmError STORAGE_FAILED with the reason */
  assertThere(): void {
    if (this.#gone !== undefined) throw this.#gone;
  }

  /** Looks now. @throws DsmError STORAGE_FAILED with the reason */
  async look(): Promise<void> {
    const why = await this.#whyGone();
    const was = this.#gone;
    this.#gone = why === undefined ? undefined : goneFrom(this.#options, why);
    const { log, root } = this.#options;
    if (was !== undefined && why === undefined)
      log.info({ root }, "root: the group's file system is there again");
    if (was === undefined && why !== undefined)
      log.error({ root, why }, "root: the group's file system is not there");
    this.assertThere();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #whyGone(): Promise<string | undefined> {
    this.#looking ??= groupMark(this.#options.root).finally(() => (this.#looking = undefined));
    const { promise: late, resolve } = Promise.withResolvers<"late">();
    const timer = setTimeout(resolve, limits.rootHangMs, "late");
    try {
      const mark = await Promise.race([this.#looking, late]);
      if (mark === "late") return `it does not answer for ${limits.rootHangMs} ms`;
      if (mark === undefined) return "its marker is gone, as when nothing is mounted there";
      if (mark.id !== this.#mark.id) return "another file system is mounted there";
      return this.#options.apart();
    } catch (thrown) {
      const { message, cause } = DsmError.from(thrown, "reading the marker");
      return cause instanceof Error ? cause.message : message;
    } finally {
      clearTimeout(timer);
    }
  }
}

function goneFrom({ root, group }: RootWatchOptions, why: string): DsmError {
  const what = `the file system of group ${group} is not there at ${root}: ${why}`;
  return new DsmError("STORAGE_FAILED", what, {
    remedy: "mount it there; the storage goes on by itself then",
  });
}

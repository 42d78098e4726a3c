import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@dsm/clock";
import { DsmError, systemErrorCode } from "@dsm/protocol";
import { replaceFile, scrubFolder } from "./scrub/replace-file.ts";

interface LeaseOptions {
  readonly root: string;
  /** Of this storage. An earlier life of it is dead, so the lease of that is taken over at once. */
  readonly storageId: string;
  /** Of this life. */
  readonly incarnation: string;
  /** How long an owner may be silent. */
  readonly leaseMs: number;
  readonly clock: Clock;
  /** Looks whether the file system is there; a bare folder has no lease to take. */
  readonly assertMounted?: () => Promise<void>;
  /** What the right is to; `lease`, which is the right to scrub, unless given. */
  readonly name?: string;
}

interface Seen {
  readonly number: number;
  readonly text: string;
  /** When this text was seen first, by the monotonic clock of this host. */
  readonly sinceMs: number;
}

/**
 * The right of one member of a group to do what one does for all, as to scrub: a numbered file
 * that its owner writes anew again and again. It is taken over by making the file of the next
 * number, which only one can make; an owner who was thought to be dead finds it and stops.
 *
 * No clock of a host is ever compared with another one, nor with the times of files, which on
 * GlusterFS come from the clocks of its clients: an owner is silent when what it wrote did not
 * change for `leaseMs` as this host measures it.
 */
export class GroupLease {
  readonly #options: LeaseOptions;
  readonly #folder: string;
  readonly #name: string;
  readonly #namePattern: RegExp;
  #seen: Seen | undefined;
  #held: number | undefined;
  #beats = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#folder = scrubFolder(options.root);
    this.#name = options.name ?? "lease";
    this.#namePattern = new RegExp(`^${this.#name}-(\\d{10})$`);
  }

  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** Takes the lease where nobody has it, or who had it is gone. @returns whether it is held now */
  async acquire(): Promise<boolean> {
    if (this.#held !== undefined) return this.renew();
    await this.#options.assertMounted?.();
    await mkdir(this.#folder, { recursive: true });
    const newest = await this.#newest();
    if (newest === undefined) return this.#make(1);
    const [owner, , state] = newest.text.split("\n");
    const silentMs = this.#options.clock.monotonicMs() - this.#note(newest).sinceMs;
    const isFree = state === "free" || owner === this.#options.storageId;
    if (!isFree && silentMs < this.#options.leaseMs) return false;
    return this.#make(newest.number + 1);
  }

  /** To be called several times in `leaseMs`. @returns false when somebody has taken it over */
  async renew(): Promise<boolean> {
    const held = this.#held;
    if (held === undefined) return false;
    const newest = await this.#newest();
    if (newest?.number !== held) {
      this.#held = undefined;
      return false;
    }
    await this.#write(held, "held");
    return true;
  }

  /**
   * Does the work as long as the lease is held; nothing where another member has it.
   * @param stopping ends the work, as the loss of the lease does
   */
  async whileHeld(
    stopping: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    if (!(await this.acquire())) return;
    const lost = new AbortController();
    const renewing = this.#keep(lost);
    try {
      await work(AbortSignal.any([stopping, lost.signal]));
    } finally {
      lost.abort(new DsmError("CONFLICT", "the work is over"));
      await renewing;
      await this.release();
    }
  }

  /** Never rejects: a lease that cannot be renewed is lost. */
  async #keep(lost: AbortController): Promise<void> {
    const { clock, leaseMs } = this.#options;
    while (!lost.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const alarm = clock.after(leaseMs / 6, resolve);
      lost.signal.addEventListener("abort", () => resolve(), { once: true });
      await promise;
      alarm.cancel();
      if (lost.signal.aborted) return;
      if (await this.renew().catch(() => false)) continue;
      lost.abort(new DsmError("CONFLICT", "another storage of the group does this now"));
    }
  }

  /** The next one need not wait. */
  async release(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    const newest = await this.#newest();
    if (newest?.number === held) await this.#write(held, "free");
  }

  #note(newest: { number: number; text: string }): Seen {
    const { number, text } = newest;
    if (this.#seen?.number !== number || this.#seen.text !== text) {
      this.#seen = { number, text, sinceMs: this.#options.clock.monotonicMs() };
    }
    return this.#seen;
  }

  async #make(number: number): Promise<boolean> {
    try {
      await writeFile(this.#path(number), this.#text("held"), { flag: "wx", mode: 0o644 });
    } catch (error) {
      if (systemErrorCode(error) === "EEXIST") return false;
      throw error;
    }
    this.#held = number;
    for (const older of await this.#numbers()) {
      if (older < number) await rm(this.#path(older), { force: true });
    }
    return true;
  }

  async #newest(): Promise<{ number: number; text: string } | undefined> {
    const number = (await this.#numbers()).at(-1);
    if (number === undefined) return undefined;
    // One that was just removed was not the newest any more.
    const text = await readFile(this.#path(number), "utf8").catch(() => "");
    return { number, text };
  }

  /** In ascending order. */
  async #numbers(): Promise<number[]> {
    const names = await readdir(this.#folder);
    const numbers = names.flatMap(
      (name) => this.#namePattern.exec(name)?.slice(1).map(Number) ?? [],
    );
    return numbers.toSorted((a, b) => a - b);
  }

  #write(number: number, state: "held" | "free"): Promise<void> {
    return replaceFile(this.#options.root, `scrub/${this.#nameOf(number)}`, this.#text(state));
  }

  #text(state: "held" | "free"): string {
    const { storageId, incarnation } = this.#options;
    return [storageId, incarnation, state, String(++this.#beats), ""].join("\n");
  }

  #path(number: number): string {
    return join(this.#folder, this.#nameOf(number));
  }

  #nameOf(number: number): string {
    return `${this.#name}-${String(number).padStart(10, "0")}`;
  }
}

import { type MaintenanceLine, DsmError, systemErrorCode } from "@dsm/protocol";
import { type Fault, type Finding, findingOf } from "./finding.ts";
import type { Meter } from "./meter.ts";
import { pause } from "./pace.ts";

/** Something that looks wrong: to be looked at again, with all that is known by then. */
export type Suspect = () => Promise<readonly Fault[]>;

interface SuspectsOptions {
  readonly repair: boolean;
  readonly signal: AbortSignal;
  /** How long ago the first look was at least; limits.fsckSecondLookMs, less in tests. */
  readonly secondLookMs: number;
  readonly onFinding: (finding: Finding) => void;
  /** Throws when nothing that is seen of the disk may be believed. */
  readonly assertMounted: () => Promise<void>;
}

/** What looks wrong is looked at again after so long at the latest, or when there are so many. */
const patienceMs = 5_000;
const suspectsMax = 500;

/**
 * On a cluster that lives much is wrong for a moment: a blob is unlinked before its entry is
 * removed, a row that was read may be gone. Only what is wrong a while later is a finding.
 */
export class Suspects {
  readonly #options: SuspectsOptions;
  #waiting: Suspect[] = [];
  #firstAtMs = 0;
  #lastAtMs = 0;

  constructor(options: SuspectsOptions) {
    this.#options = options;
  }

  /** Takes what looks wrong as it comes, and tells of what is. Undefined says only: go on. */
  async *settle(
    source: AsyncIterable<Suspect | undefined>,
    meter: Meter,
  ): AsyncGenerator<MaintenanceLine, void, undefined> {
    for await (const suspect of source) {
      this.#options.signal.throwIfAborted();
      if (suspect !== undefined) this.#add(suspect);
      if (this.#isDue()) yield* this.#lookAgain(meter);
      yield* meter.tell();
    }
    yield* this.#lookAgain(meter);
  }

  #add(suspect: Suspect): void {
    this.#lastAtMs = performance.now();
    if (this.#waiting.length === 0) this.#firstAtMs = this.#lastAtMs;
    this.#waiting.push(suspect);
  }

  #isDue(): boolean {
    if (this.#waiting.length === 0) return false;
    const ageMs = performance.now() - this.#firstAtMs;
    return ageMs >= patienceMs || this.#waiting.length >= suspectsMax;
  }

  async *#lookAgain(meter: Meter): AsyncGenerator<MaintenanceLine, void, undefined> {
    const suspects = this.#waiting;
    if (suspects.length === 0) return;
    this.#waiting = [];
    const { signal, secondLookMs } = this.#options;
    await pause(Math.max(0, this.#lastAtMs + secondLookMs - performance.now()), signal);
    for (const suspect of suspects) {
      signal.throwIfAborted();
      const faults = await suspect();
      if (faults.length > 0) await this.#options.assertMounted();
      for (const fault of faults) yield await this.#tell(fault);
      yield* meter.tell();
    }
  }

  async #tell(fault: Fault): Promise<MaintenanceLine> {
    const finding = await this.#mended(fault);
    this.#options.onFinding(finding);
    return { finding: { ...finding } };
  }

  /** What cannot be mended here, as in a folder of another owner, must not hold up the rest. */
  async #mended(fault: Fault): Promise<Finding> {
    if (!this.#options.repair) return findingOf(fault);
    try {
      return findingOf(fault, await fault.mend?.());
    } catch (error) {
      this.#options.signal.throwIfAborted();
      const { code, message } = asDiskError(error);
      const detail = `${fault.facts.detail}; it could not be mended: ${code} ${message}`;
      return findingOf({ ...fault, facts: { ...fault.facts, detail } });
    }
  }
}

function asDiskError(error: unknown): { code: string; message: string } {
  if (error instanceof DsmError) {
    if (error.code === "STORAGE_FAILED" || error.code === "STORAGE_FULL") return error;
    throw error;
  }
  const code = systemErrorCode(error);
  if (code === undefined || !(error instanceof Error)) throw error;
  return { code, message: error.message };
}

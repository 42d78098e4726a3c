import { type Content, firstDifference } from "./content.ts";
import {
  absent,
  anyState,
  type Condition,
  type FileEvent,
  type MediaKey,
  type State,
} from "./file-history.ts";
import type { Figures, Violation, ViolationKind } from "./figures.ts";
import { Timeline, type Unexplained } from "./timeline.ts";

/**
 * A server that goes on with a write whose client has left is bounded by its own time-outs, of
 * which the catalog's are the longest. What is not in force by then never will be.
 */
const doubtLastsMs = 30_000;
const historyLines = 120;
/** Servers count in whole milliseconds, and so may be one off at each end. */
const roundingMs = 5;

/** What is known of one file: what was ever sent to it, and the order in which things happened. */
interface KnownFile {
  readonly key: MediaKey;
  readonly timeline: Timeline;
  readonly contents: Map<State, Content>;
  readonly history: string[];
}

/**
 * Knows every operation on every file of the run and what came of it, and so what each read may
 * show. It is told by those who do the operations, and asks no part of dsm.
 */
export class Ledger {
  readonly #files = new Map<string, KnownFile>();
  readonly #figures: Figures;
  readonly #windowMs: number;
  readonly #now: () => number;

  /** @param windowMs how far back an event may lie when its operation begins */
  constructor(figures: Figures, windowMs: number, now: () => number) {
    this.#figures = figures;
    this.#windowMs = windowMs;
    this.#now = now;
  }

  get keys(): MediaKey[] {
    return [...this.#files.values()].map(({ key }) => key);
  }

  underWay(key: MediaKey): number {
    return this.#of(key).timeline.underWay;
  }

  /** The states that a file may be in, as far as was followed. */
  states(key: MediaKey): ReadonlySet<State> {
    return this.#of(key).timeline.states();
  }

  content(key: MediaKey, state: State): Content | undefined {
    return this.#of(key).contents.get(state);
  }

  /**
   * An operation on one file begins.
   * @param what for the history: who does what, by which way
   * @param staleMs how old an answer may be that is given to this operation
   */
  begin(key: MediaKey, what: string, staleMs = 0): Operation {
    const file = this.#of(key);
    const startMs = this.#now();
    const end = file.timeline.begin(startMs - staleMs);
    return new Operation({
      remember: (content) => file.contents.set(content.sha256, content),
      end: (make, outcome) => {
        const endMs = this.#now();
        if (outcome !== undefined) {
          file.history.push(`${time(startMs)} to ${time(endMs)} ${what}: ${outcome}`);
          if (file.history.length > historyLines) file.history.shift();
        }
        end(make(startMs - staleMs, endMs));
      },
    });
  }

  /**
   * Bytes that came as part of a version, from its byte `start` on.
   * @returns false when they are not those of that version
   */
  checkBytes(key: MediaKey, state: State, bytes: Uint8Array, start: number): boolean {
    const content = this.content(key, state);
    this.#figures.readsChecked++;
    this.#figures.bytesChecked += bytes.length;
    if (content === undefined) {
      this.violation("mixed", key, `sha-256 ${state} was served, which nobody ever uploaded here`);
      return false;
    }
    const at = firstDifference(bytes, content, start);
    if (at === undefined) return true;
    const what = `byte ${at} of ${show(content)} is another one, of bytes ${start} to ${start + bytes.length}`;
    this.violation("mixed", key, what);
    return false;
  }

  violation(kind: ViolationKind, key: MediaKey, what: string): void {
    const history = this.#of(key).history.join("\n");
    this.#figures.violations.push({ kind, file: key, what, history });
  }

  /** Checks what has become certain meanwhile, of all files. */
  follow(): void {
    for (const file of this.#files.values()) this.#follow(file, this.#now() - this.#windowMs);
  }

  /** Checks everything that was ever told; to be called when nothing is under way any more. */
  finish(): void {
    for (const file of this.#files.values()) this.#follow(file, Infinity);
  }

  #follow(file: KnownFile, horizonMs: number): void {
    const unexplained = file.timeline.follow(horizonMs);
    if (unexplained === undefined) return;
    const violation = classify(file, unexplained);
    this.#figures.violations.push(violation);
    this.#files.delete(nameOf(file.key));
  }

  #of(key: MediaKey): KnownFile {
    const name = nameOf(key);
    let file = this.#files.get(name);
    if (file === undefined) {
      file = { key, timeline: new Timeline(), contents: new Map(), history: [] };
      this.#files.set(name, file);
    }
    return file;
  }
}

interface OperationPorts {
  readonly remember: (content: Content) => void;
  readonly end: (
    make: (startMs: number, endMs: number) => readonly FileEvent[],
    outcome: string | undefined,
  ) => void;
}

/** One operation on one file. Exactly one method ends it, when its outcome is known. */
export class Operation {
  readonly #ports: OperationPorts;

  constructor(ports: OperationPorts) {
    this.#ports = ports;
  }

  /** The bytes that are sent, before the first of them is. */
  sends(content: Content): void {
    this.#ports.remember(content);
  }

  /** @param ttlMs how long the version lives from its commit on */
  acknowledged(to: State, condition: Condition = anyState, ttlMs = Infinity): void {
    this.#end("acknowledged", (startMs, endMs) => [
      { kind: "write", to, condition, startMs, endMs },
      ...lapseOf({ kind: "lapse", state: to, startMs, endMs }, ttlMs),
    ]);
  }

  inDoubt(to: State, condition: Condition, why: string, ttlMs = Infinity): void {
    this.#end(`in doubt, ${why}`, (startMs, endMs) => {
      const lastMs = endMs + doubtLastsMs;
      const gone = { kind: "doubt", to: absent, condition: { is: "state", state: to } } as const;
      return [
        { kind: "doubt", to, condition, startMs, endMs: lastMs },
        ...lapseOf({ ...gone, startMs, endMs: lastMs }, ttlMs),
      ];
    });
  }

  /** It was certainly not done, for the condition did not hold. */
  refused(condition: Condition, why: string): void {
    this.#end(`refused, ${why}`, (startMs, endMs) => [
      { kind: "refused", condition, startMs, endMs },
    ]);
  }

  saw(state: State): void {
    this.#end(`saw ${state === absent ? absent : state.slice(0, 8)}`, (startMs, endMs) => [
      { kind: "seen", state, startMs, endMs },
    ]);
  }

  /** It certainly did nothing, and what it saw tells nothing. */
  nothing(): void {
    this.#end(undefined, () => []);
  }

  #end(
    outcome: string | undefined,
    make: (startMs: number, endMs: number) => readonly FileEvent[],
  ): void {
    this.#ports.end(make, outcome);
  }
}

/** What happens when a version has lived for its time; nothing when it lives forever. */
function lapseOf(event: FileEvent, ttlMs: number): FileEvent[] {
  if (ttlMs === Infinity) return [];
  const { startMs, endMs } = event;
  return [{ ...event, startMs: startMs + ttlMs - roundingMs, endMs: endMs + ttlMs + roundingMs }];
}

function classify(file: KnownFile, { event, possible }: Unexplained): Violation {
  const states = [...possible].map((state) => state.slice(0, 8)).join(" or ");
  const between = `between ${time(event.startMs)} and ${time(event.endMs)}`;
  const tell = (kind: ViolationKind, what: string): Violation => ({
    kind,
    file: file.key,
    what: `${what} ${between}, and it must have been ${states} at its end`,
    history: file.history.join("\n"),
  });
  if (event.kind !== "seen") {
    const to = "to" in event ? `a write of ${event.to.slice(0, 8)}` : `a ${event.kind}`;
    return tell("out of order", `no order of what was acknowledged explains ${to}`);
  }
  if (event.state === absent) return tell("lost", "a reader was told that there is no such file");
  const seen = `a reader was shown ${event.state.slice(0, 8)}`;
  return tell(possible.has(absent) ? "resurrected" : "stale", seen);
}

function show({ sha256, sizeBytes }: Content): string {
  return `${sha256.slice(0, 8)} (${sizeBytes} bytes)`;
}

/** Seconds since the run began. */
function time(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}

function nameOf({ user, fileId }: MediaKey): string {
  return `${user}/${fileId}`;
}

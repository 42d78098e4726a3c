/** How far a long piece of work has come; told now and then. */
export interface Progress {
  /** What is being done, for people. */
  readonly doing: string;
  readonly done: number;
  /** 0 as long as it is not known. */
  readonly total: number;
  readonly unit: "bytes" | "blobs" | "records";
}

export type OnProgress = (progress: Progress) => void;

/** Tells of progress no more often than people can read. */
export class Steps {
  readonly #tell: OnProgress;
  #toldAtMs = 0;
  #now: Progress = { doing: "", done: 0, total: 0, unit: "records" };

  constructor(tell: OnProgress) {
    this.#tell = tell;
  }

  begin(doing: string, total: number, unit: Progress["unit"]): void {
    this.#now = { doing, done: 0, total, unit };
    this.#tellNow();
  }

  advance(by: number): void {
    this.#now = { ...this.#now, done: this.#now.done + by };
    if (performance.now() - this.#toldAtMs >= tellEveryMs) this.#tellNow();
  }

  end(): void {
    this.#tellNow();
  }

  #tellNow(): void {
    this.#toldAtMs = performance.now();
    this.#tell(this.#now);
  }
}

const tellEveryMs = 100;

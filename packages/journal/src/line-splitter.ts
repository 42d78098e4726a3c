const newline = 0x0a;

/** Splits a stream of bytes into lines and never keeps more than one line of bounded length. */
export class LineSplitter {
  readonly #maxBytes: number;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** The line under way is too long, and its bytes are passed over. */
  #isTooLong = false;
  /** Since its first NUL it has had nothing else. */
  #endsInZeros = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The lines that end in this chunk, without their ends.
   * @returns undefined in the place of a line that is longer than `maxBytes`
   */
  *split(chunk: Buffer): Generator<string | undefined, void, undefined> {
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      yield this.#endLine(chunk.subarray(from, end));
      from = end + 1;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  /**
   * Whether the stream ended in a line without an end that is too long to be a record cut short.
   * A power cut may leave any number of zeros behind what was written: these do not count.
   */
  get endsTooLong(): boolean {
    return this.#isTooLong && !this.#endsInZeros;
  }

  get hasRest(): boolean {
    return this.#keptBytes > 0;
  }

  /** What came behind the last end of a line; empty when that is too long. */
  get rest(): string {
    return this.#textWith(Buffer.alloc(0));
  }

  #endLine(rest: Buffer): string | undefined {
    const isTooLong = this.#isTooLong || this.#keptBytes + rest.length > this.#maxBytes;
    const text = isTooLong ? undefined : this.#textWith(rest);
    this.#kept = [];
    this.#keptBytes = 0;
    this.#isTooLong = false;
    this.#endsInZeros = false;
    return text;
  }

  #textWith(rest: Buffer): string {
    const line = this.#kept.length === 0 ? rest : Buffer.concat([...this.#kept, rest]);
    return line.toString("utf8");
  }

  #keep(bytes: Buffer): void {
    const firstZero = this.#endsInZeros ? 0 : bytes.indexOf(0);
    this.#endsInZeros = firstZero !== -1 && isAllZeros(bytes.subarray(firstZero));
    if (this.#isTooLong) return;
    this.#keptBytes += bytes.length;
    this.#isTooLong = this.#keptBytes > this.#maxBytes;
    // The chunk's memory is used again for the next one.
    if (this.#isTooLong) this.#kept = [];
    else this.#kept.push(Buffer.from(bytes));
  }
}

function isAllZeros(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

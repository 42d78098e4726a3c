/** A sorted stream with the next entry in sight. */
export class Cursor<T> implements AsyncDisposable {
  readonly #iterator: AsyncIterator<T> | Iterator<T>;
  #next: T | undefined;

  private constructor(iterator: AsyncIterator<T> | Iterator<T>) {
    this.#iterator = iterator;
  }

  static async open<T>(stream: AsyncIterable<T> | Iterable<T>): Promise<Cursor<T>> {
    const iterator =
      Symbol.asyncIterator in stream ? stream[Symbol.asyncIterator]() : stream[Symbol.iterator]();
    const cursor = new Cursor<T>(iterator);
    await cursor.#step();
    return cursor;
  }

  /** Not taken yet; undefined at the end. */
  get next(): T | undefined {
    return this.#next;
  }

  /** The next entry, and the one behind it is the next. */
  async take(): Promise<T | undefined> {
    const entry = this.#next;
    if (entry !== undefined) await this.#step();
    return entry;
  }

  async #step(): Promise<void> {
    // Streams that know their next entry at once are not waited for: there are millions of them.
    const turn = this.#iterator.next();
    const { done, value } = turn instanceof Promise ? await turn : turn;
    this.#next = done === true ? undefined : value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#iterator.return?.();
  }
}

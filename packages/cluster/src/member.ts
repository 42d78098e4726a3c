/** What every running role can do: stop in order, or stop at once as if its process had died. */
export interface Running {
  readonly port: number;
  drain(): Promise<void>;
  kill(): void | Promise<void>;
}

/**
 * One member of a cluster in this process. It keeps the port that it got at its first start, so
 * that those who know its address find it again after a restart.
 */
export class Member<T extends Running> implements AsyncDisposable {
  readonly name: string;
  readonly #start: (port: number) => Promise<T>;
  #running: T | undefined;
  #port: number;

  /** @param port 0 for any free one */
  constructor(name: string, port: number, start: (port: number) => Promise<T>) {
    this.name = name;
    this.#port = port;
    this.#start = start;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** The running role. @throws Error while it is down */
  get running(): T {
    if (this.#running === undefined) throw new Error(`${this.name} is not running`);
    return this.#running;
  }

  async start(): Promise<void> {
    if (this.#running !== undefined) throw new Error(`${this.name} runs already`);
    this.#running = await this.#start(this.#port);
    this.#port = this.#running.port;
  }

  /** As if the process had died: connections break, nobody is told. */
  async kill(): Promise<void> {
    const running = this.#take();
    await running?.kill();
  }

  /** Stops in order: what is under way ends first. */
  async drain(): Promise<void> {
    const running = this.#take();
    await running?.drain();
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  #take(): T | undefined {
    const running = this.#running;
    this.#running = undefined;
    return running;
  }
}

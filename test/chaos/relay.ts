import { connect, createServer, type Socket } from "node:net";

/** How a relay treats what passes. */
export interface Weather {
  /** New connections are cut at once. */
  readonly refuses?: boolean;
  /** Nothing passes, and nobody is told; it goes on where it stopped. */
  readonly stalls?: boolean;
  /** After a request that matches no answer comes any more on its connection. */
  readonly loseAnswersTo?: RegExp;
  /** How long each piece is held back. */
  readonly delayMs?: number;
  /** Gives each connection, new and open, the bytes after which it is cut. */
  readonly cutsAfterBytes?: () => number;
}

const fair: Weather = {};

/** A TCP relay before a server, which fails in the ways in which networks do. */
export class Relay implements AsyncDisposable {
  /** 0 until the server is known: connections are refused as long. */
  targetPort = 0;
  readonly #pairs = new Set<Pair>();
  readonly #server = createServer({ pauseOnConnect: true }, (inside) => this.#take(inside));
  #weather = fair;

  static async start(): Promise<Relay> {
    const relay = new Relay();
    const { promise, resolve } = Promise.withResolvers<void>();
    relay.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    return relay;
  }

  /** `host:port` */
  get endpoint(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `127.0.0.1:${address.port}`;
  }

  /** Changes what happens to connections from now on, those that are open included. */
  set weather(weather: Weather) {
    this.#weather = weather;
    for (const pair of this.#pairs) pair.weather = weather;
  }

  clear(): void {
    this.weather = fair;
  }

  /** @returns how many connections were cut */
  cutAll(): number {
    const count = this.#pairs.size;
    for (const pair of this.#pairs) pair.cut();
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cutAll();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  #take(inside: Socket): void {
    if (this.#weather.refuses === true || this.targetPort === 0) {
      inside.on("error", () => {});
      inside.destroy();
      return;
    }
    const outside = connect(this.targetPort, "127.0.0.1");
    const pair = new Pair(inside, outside, this.#weather, () => this.#pairs.delete(pair));
    this.#pairs.add(pair);
  }
}

/** One connection through the relay. */
class Pair {
  readonly #lanes: readonly Lane[];
  readonly #sockets: readonly Socket[];
  readonly #budget = { leftBytes: Infinity };

  constructor(inside: Socket, outside: Socket, weather: Weather, onClosed: () => void) {
    const budget = this.#budget;
    const cut = () => this.cut();
    // What was asked is known when it has passed, and holds back the other direction.
    const answers = new Lane({ from: outside, to: inside, budget, cut });
    const onPassed = (data: Uint8Array) => answers.afterRequest(data);
    this.#sockets = [inside, outside];
    this.#lanes = [new Lane({ from: inside, to: outside, budget, cut, onPassed }), answers];
    for (const socket of this.#sockets) {
      socket.on("error", cut);
      socket.once("close", () => {
        cut();
        onClosed();
      });
    }
    this.weather = weather;
  }

  set weather(weather: Weather) {
    this.#budget.leftBytes = weather.cutsAfterBytes?.() ?? Infinity;
    for (const lane of this.#lanes) lane.weather = weather;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

interface LaneOptions {
  readonly from: Socket;
  readonly to: Socket;
  /** What may still pass in both directions together. */
  readonly budget: { leftBytes: number };
  readonly cut: () => void;
  /** Told of each piece right before it passes. */
  readonly onPassed?: (data: Uint8Array) => void;
}

/** One direction of a connection. At most one piece is held back; the rest waits at its sender. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #budget: { leftBytes: number };
  readonly #cut: () => void;
  readonly #onPassed: (data: Uint8Array) => void;
  #isHeldBack = false;
  #weather = fair;
  #held: { readonly data: Uint8Array | undefined } | undefined;
  #isWaiting = false;

  constructor({ from, to, budget, cut, onPassed = () => {} }: LaneOptions) {
    this.#onPassed = onPassed;
    this.#from = from;
    this.#to = to;
    this.#budget = budget;
    this.#cut = cut;
    from.on("data", (data: Uint8Array) => this.#hold(data));
    from.on("end", () => this.#hold(undefined));
    to.on("drain", () => this.#resume());
    from.resume();
  }

  set weather(weather: Weather) {
    const wasStalled = this.#isStalled;
    this.#weather = weather;
    this.#isHeldBack &&= weather.loseAnswersTo !== undefined;
    if (wasStalled && !this.#isStalled) this.#pass();
  }

  /** Of the lane of the answers. */
  afterRequest(data: Uint8Array): void {
    const { loseAnswersTo } = this.#weather;
    if (loseAnswersTo === undefined) return;
    this.#isHeldBack ||= loseAnswersTo.test(Buffer.from(data).toString("latin1"));
  }

  get #isStalled(): boolean {
    return this.#isHeldBack || this.#weather.stalls === true;
  }

  /** @param data undefined for the end of what this side sends */
  #hold(data: Uint8Array | undefined): void {
    // Data may still come after pause(): then the pieces become one.
    const before = this.#held?.data;
    const both = before === undefined || data === undefined ? data : Buffer.concat([before, data]);
    if (data === undefined && before !== undefined) this.#send(before);
    this.#held = { data: both };
    this.#from.pause();
    const { delayMs = 0 } = this.#weather;
    if (delayMs === 0) return this.#pass();
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    setTimeout(() => {
      this.#isWaiting = false;
      this.#pass();
    }, delayMs);
  }

  #pass(): void {
    const held = this.#held;
    if (held === undefined || this.#isWaiting || this.#isStalled) return;
    this.#held = undefined;
    if (held.data === undefined) {
      this.#to.end();
      return;
    }
    if (this.#send(held.data)) this.#resume();
  }

  /** @returns whether the other side takes more at once */
  #send(data: Uint8Array): boolean {
    this.#onPassed(data);
    const leftBytes = Math.max(0, this.#budget.leftBytes);
    this.#budget.leftBytes -= data.length;
    if (data.length < leftBytes) return this.#to.write(data);
    this.#to.write(data.subarray(0, leftBytes), this.#cut);
    return false;
  }

  #resume(): void {
    if (this.#held === undefined) this.#from.resume();
  }
}

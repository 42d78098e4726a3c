import type { Http2Session } from "node:http2";
import { H2Pace } from "./h2-pace.ts";

interface Known {
  /** Cuts its connection. */
  readonly cut: () => void;
  readonly pace: H2Pace;
  active: number;
  timer: Timer | undefined;
}

/** The HTTP/2 connections of one server, and how many requests of each are being answered. */
export class H2Sessions {
  readonly #known = new Map<Http2Session, Known>();
  readonly #idleTimeoutMs: number;
  #isDraining = false;
  #empty: PromiseWithResolvers<void> | undefined;

  /** A connection without a request for so long is closed. */
  constructor(idleTimeoutMs: number) {
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  get activeRequests(): number {
    return this.#known.values().reduce((sum, { active }) => sum + active, 0);
  }

  /**
   * @param cut destroys its socket. Bun 1.4.5 ends all bodies in order when a session is destroyed,
   * as if they were whole.
   */
  add(session: Http2Session, cut: () => void): void {
    const known: Known = { cut, pace: new H2Pace(session), active: 0, timer: undefined };
    this.#known.set(session, known);
    // A broken connection is told of where its bodies are read and written.
    session.on("error", () => {});
    session.once("close", () => {
      clearTimeout(known.timer);
      this.#known.delete(session);
      if (this.#known.size === 0) this.#empty?.resolve();
    });
    this.#rest(session, known);
  }

  /** A request has come in; call what it returns when its answer is sent or cut. */
  enter(session: Http2Session): { readonly pace: H2Pace; readonly leave: () => void } {
    const known = this.#known.get(session);
    // A request may be told of after its connection was.
    if (known === undefined) return { pace: new H2Pace(session), leave: () => {} };
    known.active++;
    clearTimeout(known.timer);
    return {
      pace: known.pace,
      leave: () => {
        known.active--;
        if (known.active === 0) this.#rest(session, known);
      },
    };
  }

  /** Takes no new requests, and closes each connection when its last one is answered. */
  drain(): void {
    this.#isDraining = true;
    for (const [session, known] of this.#known) {
      if (known.active === 0) this.#end(session, known);
      else session.close();
    }
  }

  /** Resolves when no connection is left. */
  async emptied(): Promise<void> {
    if (this.#known.size === 0) return;
    this.#empty ??= Promise.withResolvers();
    await this.#empty.promise;
  }

  #rest(session: Http2Session, known: Known): void {
    if (this.#isDraining) this.#end(session, known);
    else known.timer = setTimeout(() => this.#end(session, known), this.#idleTimeoutMs);
  }

  /**
   * Bun 1.4.5 leaves a session open for ever whose client sent one more request before it saw the
   * GOAWAY (RFC 9113, section 6.8). So it is cut when the answer to a PING proves that the client
   * has read all, or when that never comes.
   */
  #end(session: Http2Session, known: Known): void {
    clearTimeout(known.timer);
    session.close();
    if (session.destroyed) return;
    session.ping(known.cut);
    known.timer = setTimeout(known.cut, this.#idleTimeoutMs);
  }
}

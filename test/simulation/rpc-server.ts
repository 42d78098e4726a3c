import { DsmError, type MessageName, messages, type Role } from "@dsm/protocol";
import type { RpcContext, RpcHandlers } from "@dsm/rpc";
import type { Life } from "./host.ts";
import type { Listener } from "./network.ts";

/** No handler of the simulated roles asks whether its asker is gone. */
const never = new AbortController().signal;

/** What a server said to one request. */
export type Said =
  | { readonly response: unknown; readonly error?: undefined }
  | { readonly response?: undefined; readonly error: DsmError };

/** Sees each request with its answer, in the moment in which the server has decided it. */
export type Watch = (name: MessageName, request: unknown, said: Said) => void;

/**
 * The handlers of a role behind the table of messages, as @dsm/rpc puts them behind a socket. What
 * a frame may hold is checked there, and not once more here, for that takes half of the time.
 */
export class RpcServer implements Listener {
  readonly life: Life;
  readonly #role: Role;
  readonly #handlers: RpcHandlers;
  readonly #watch: Watch;

  constructor(life: Life, role: Role, handlers: RpcHandlers, watch: Watch = () => {}) {
    this.life = life;
    this.#role = role;
    this.#handlers = handlers;
    this.#watch = watch;
  }

  /** @throws TypeError for a message that the table does not allow between these roles */
  async answer(name: MessageName, request: unknown, peerRole: Role): Promise<Said> {
    const { servedBy, askedBy }: Rules = messages[name];
    const handler = this.#handlers[name] as AnyHandler | undefined;
    if (handler === undefined || !servedBy.includes(this.#role) || !askedBy.includes(peerRole)) {
      throw new TypeError(`a ${peerRole} may not ask a ${this.#role} server ${name}`);
    }
    const said = await this.#decide(handler, request, peerRole);
    this.#watch(name, request, said);
    return said;
  }

  async #decide(handler: AnyHandler, request: unknown, peerRole: Role): Promise<Said> {
    const context = { session: { peerRole }, signal: never } as RpcContext;
    try {
      return { response: await handler(request, context) };
    } catch (thrown) {
      if (!(thrown instanceof DsmError)) throw thrown;
      return { error: thrown };
    }
  }
}

type AnyHandler = (request: unknown, context: RpcContext) => unknown;

interface Rules {
  readonly servedBy: readonly Role[];
  readonly askedBy: readonly Role[];
}

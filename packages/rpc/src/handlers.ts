import {
  DsmError,
  type Frame,
  type MessageName,
  messageNameOf,
  messages,
  type RequestOf,
  type ResponseOf,
  type Role,
  type Session,
} from "@dsm/protocol";

export interface RpcContext {
  /** What the asker proved of itself. */
  readonly session: Session;
  /** Aborted when the asker is gone. */
  readonly signal: AbortSignal;
}

export type RpcHandlers = {
  readonly [N in MessageName]?: (
    request: RequestOf<N>,
    context: RpcContext,
  ) => ResponseOf<N> | Promise<ResponseOf<N>>;
};

/** A handler behind its schema, which alone vouches for the type of the request. */
type AnyHandler = (request: unknown, context: RpcContext) => unknown;

/**
 * Runs the handler of one request: `unknown` is the body of the answer or a promise of it.
 * @throws DsmError UNKNOWN_MESSAGE, FORBIDDEN or BAD_REQUEST before any handler has run
 */
export type Dispatch = (frame: Frame, context: RpcContext) => unknown;

export function createDispatch(role: Role, handlers: RpcHandlers): Dispatch {
  return (frame, context) => {
    const name = messageNameOf(frame.type);
    if (name === undefined) {
      throw new DsmError("UNKNOWN_MESSAGE", `message type ${frame.type} is unknown`, {
        remedy: "run the same version of dsm on both sides",
      });
    }
    const handler = handlers[name] as AnyHandler | undefined;
    const { servedBy, askedBy, request }: MessageRules = messages[name];
    if (handler === undefined || !servedBy.includes(role)) {
      throw new DsmError("UNKNOWN_MESSAGE", `a ${role} server does not answer ${name}`, {
        remedy: `ask a server of role ${servedBy.join(" or ")}`,
      });
    }
    if (!askedBy.includes(context.session.peerRole)) {
      throw new DsmError("FORBIDDEN", `a ${context.session.peerRole} may not ask ${name}`, {
        remedy: `ask it as ${askedBy.join(" or ")}`,
      });
    }
    const parsed = request.safeParse(frame.body);
    if (!parsed.success) {
      throw new DsmError("BAD_REQUEST", `the ${name} request is malformed: ${fault(parsed.error)}`);
    }
    return handler(parsed.data, context);
  };
}

interface MessageRules {
  readonly servedBy: readonly Role[];
  readonly askedBy: readonly Role[];
  readonly request: (typeof messages)[MessageName]["request"];
}

interface SchemaError {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

/** The first fault that a schema found, with the field it is in. */
export function fault(error: SchemaError): string {
  const [issue] = error.issues;
  if (issue === undefined) return "it does not fit its schema";
  const field = issue.path.map(String).join(".");
  return field === "" ? issue.message : `${field}: ${issue.message}`;
}

import { DsmError, type ErrorCode, type MessageName, messages } from "@dsm/protocol";

/** Codes that say nothing of the request: this server could not take or answer it. */
const noAnswer: ReadonlySet<ErrorCode> = new Set([
  "UNREACHABLE",
  "TIMEOUT",
  "DRAINING",
  "OVERLOADED",
]);
/** A peer that is no dsm server, or one of another cluster or time, says nothing of the others. */
const wrongPeer: ReadonlySet<ErrorCode> = new Set([
  "BAD_FRAME",
  "FORBIDDEN",
  "UNKNOWN_MESSAGE",
  "UNSUPPORTED_VERSION",
]);

export interface Failure {
  readonly endpoint: string;
  readonly error: DsmError;
}

/** True when an equal server may answer what this one did not. */
export function worthAnother(thrown: unknown): thrown is DsmError {
  return thrown instanceof DsmError && (thrown.retryable || wrongPeer.has(thrown.code));
}

/**
 * The error for a call that every server failed. What a server said of the request tells more
 * than a server that could not be asked; among equals the first one stands.
 */
export function mostTelling(name: MessageName, failures: readonly Failure[]): DsmError {
  const errors = failures.map(({ error }) => error);
  const said = errors.find(({ code }) => !noAnswer.has(code) && !wrongPeer.has(code));
  const strange = errors.find(({ code }) => wrongPeer.has(code));
  const telling = said ?? strange;
  if (telling !== undefined) return telling;
  const [first] = errors;
  const sameCode = errors.every(({ code }) => code === first?.code);
  const who = messages[name].servedBy.map((role) => (role === "id" ? "ID server" : role));
  const why = failures.map(reason).join(", ");
  return new DsmError(
    sameCode && first !== undefined ? first.code : "UNREACHABLE",
    `no ${who.join(" or ")} answered ${name}: ${why}`,
    { remedy: `is the ${who[0] ?? "server"} running there?`, cause: first },
  );
}

/** Why one server gave no answer; a server's own words do not say which one it is. */
function reason({ endpoint, error: { message } }: Failure): string {
  return message.includes(endpoint) ? message : `${endpoint} said: ${message}`;
}

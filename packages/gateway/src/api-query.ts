import { assertUser, DsmError, limits } from "@dsm/protocol";

/** One page of something of a user. */
interface PageQuery {
  readonly user: string;
  readonly limit: number;
  readonly prefix?: string;
  /** As it was sent: what a page ends with is no name everywhere. */
  readonly after?: string;
}

/**
 * The parameters of a list.
 * @param usage how the whole request is written
 * @throws DsmError BAD_REQUEST for a parameter that is missing, unknown or out of bounds
 */
export function pageQuery(query: URLSearchParams, usage: string): PageQuery {
  assertKnown(query, ["user", "prefix", "after", "limit"], usage);
  const limit = query.get("limit") ?? String(limits.listDefault);
  const limitNumber = /^\d{1,6}$/.test(limit) ? Number(limit) : 0;
  if (limitNumber < 1 || limitNumber > limits.listMax) {
    throw badParameter("limit", `must be a number from 1 to ${limits.listMax}`, usage);
  }
  const prefix = query.get("prefix");
  const after = query.get("after");
  return {
    user: userOf(query, usage),
    limit: limitNumber,
    ...(prefix === null ? {} : { prefix: bounded("prefix", prefix, usage) }),
    ...(after === null ? {} : { after: bounded("after", after, usage) }),
  };
}

/** The user, where that is all there is to say. @throws DsmError BAD_REQUEST or BAD_NAME */
export function userQuery(query: URLSearchParams, usage: string): string {
  assertKnown(query, ["user"], usage);
  return userOf(query, usage);
}

export function badParameter(name: string, why: string, usage: string): DsmError {
  return new DsmError("BAD_REQUEST", `the parameter ${name} ${why}`, { remedy: `use ${usage}` });
}

function assertKnown(query: URLSearchParams, known: readonly string[], usage: string): void {
  for (const name of query.keys()) {
    if (!known.includes(name)) throw badParameter(name, "is unknown", usage);
  }
}

function userOf(query: URLSearchParams, usage: string): string {
  const user = query.get("user");
  if (user === null) throw badParameter("user", "is missing", usage);
  return assertUser(user);
}

function bounded(name: string, value: string, usage: string): string {
  if (Buffer.byteLength(value) <= limits.fileIdMaxBytes) return value;
  throw badParameter(name, `has more than ${limits.fileIdMaxBytes} bytes`, usage);
}

import { DsmError } from "@dsm/protocol";
import { problemResponse } from "./problem.ts";

export interface Route {
  /** As Allow lists them; OPTIONS goes without saying. */
  readonly methods: readonly string[];
  /** Pages of every origin may GET and HEAD it, where `*` is among the origins. */
  readonly readByAnyOrigin: boolean;
}

/** The value of Allow (RFC 9110, section 10.2.1). */
export function allowOf({ methods }: Route): string {
  return [...methods, "OPTIONS"].join(", ");
}

/**
 * The answer to a request that no handler took: 405 where another method would do, 404 where
 * there is nothing.
 * @param remedy says where there is something
 */
export function notTaken(method: string, route: Route | undefined, remedy: string): Response {
  if (route === undefined || route.methods.includes(method)) {
    return problemResponse(new DsmError("UNKNOWN_ROUTE", "there is nothing here", { remedy }));
  }
  const allow = allowOf(route);
  const error = new DsmError("METHOD_NOT_ALLOWED", `${method} is not allowed here`, {
    remedy: `use one of ${allow}`,
  });
  return problemResponse(error, { Allow: allow });
}

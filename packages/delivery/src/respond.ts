import type { Plan } from "./plan.ts";
import { problemResponse } from "./problem.ts";

/** Where the bytes of one blob come from. */
export interface BodySource {
  /** Exactly the bytes from `start` to before `endExclusive`, or an error. */
  open(start: number, endExclusive: number): Promise<Bun.BodyInit> | Bun.BodyInit;
}

/** The planned response with its bytes. @throws what the source throws when it cannot open */
export async function respond(plan: Plan, source: BodySource): Promise<Response> {
  const { status, headers, body, error } = plan;
  if (error !== undefined) return problemResponse(error, headers);
  if (body === undefined) return new Response(null, { status, headers });
  const bytes = await source.open(body.start, body.endExclusive);
  return new Response(bytes, { status, headers });
}

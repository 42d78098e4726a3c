import { limits } from "@dsm/protocol";
import type { BodySource } from "./body-source.ts";
import { bufferedMultipart, type MultipartBody, streamedMultipart } from "./multipart.ts";
import type { Plan } from "./plan.ts";
import { problemResponse } from "./problem.ts";

/** The planned response with its bytes. @throws what the source throws when it cannot open */
export async function respond(plan: Plan, source: BodySource): Promise<Response> {
  const { status, headers, body, error } = plan;
  if (error !== undefined) return problemResponse(error, headers);
  if (body === undefined) return new Response(null, { status, headers });
  const bytes = await ("parts" in body
    ? multipart(body, source)
    : source.open(body.start, body.endExclusive));
  return new Response(bytes, { status, headers });
}

/** Why in memory: docs/design/2026-11-22-multipart.md. */
function multipart(body: MultipartBody, source: BodySource): Promise<Bun.BodyInit> {
  return body.lengthBytes <= limits.multipartBufferedMaxBytes
    ? bufferedMultipart(body, source)
    : streamedMultipart(body, source);
}

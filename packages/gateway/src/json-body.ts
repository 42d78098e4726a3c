import { DsmError } from "@dsm/protocol";

/**
 * The JSON of a request's body.
 *
 * It must be sent as application/json. A page of another origin cannot do that without asking
 * first (Fetch, section 3.3), so a gateway that is open on loopback obeys no page by accident.
 * @throws DsmError BAD_REQUEST, or TOO_LARGE for more than `maxBytes`
 */
export async function jsonBody(request: Request, maxBytes: number): Promise<unknown> {
  const mediaType = request.headers.get("Content-Type")?.split(";")[0]?.trim().toLowerCase();
  if (mediaType !== "application/json") {
    throw new DsmError("BAD_REQUEST", "the body is not said to be JSON", {
      remedy: "send it with Content-Type: application/json",
    });
  }
  const bytes = await bodyBytes(request, maxBytes);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw new DsmError("BAD_REQUEST", "the body is no JSON", { remedy: "send JSON", cause });
  }
}

async function bodyBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) {
      throw new DsmError("TOO_LARGE", `the body has more than ${maxBytes} bytes`, {
        remedy: "send less",
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

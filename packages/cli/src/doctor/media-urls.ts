import { error, ok, type Seen, skipped } from "./finding.ts";
import type { Subject } from "./subject.ts";

const timeoutMs = 4_000;

/** Each URL as a player asks for it first: a piece of the file, and exactly that. */
export async function checkMedia({ media }: Subject, signal: AbortSignal): Promise<Seen[]> {
  if (media.length === 0) {
    const how = "give --media the URL of a file as players get it, which dsm url prints";
    return [skipped("media", "no URL of a file is named", how)];
  }
  return Promise.all(media.map((url) => look(url, signal)));
}

async function look(url: string, signal: AbortSignal): Promise<Seen> {
  // A signed link has its right in the query.
  const object = `media ${url.replace(/\?.*$/s, "")}`;
  const late = AbortSignal.timeout(timeoutMs);
  // A whole film that comes instead of a piece is not read.
  const enough = new AbortController();
  const startMs = performance.now();
  try {
    const response = await fetch(url, {
      headers: { Range: "bytes=0-0", "Accept-Encoding": "identity" },
      signal: AbortSignal.any([signal, late, enough.signal]),
      keepalive: false,
    });
    const wrong = faultOf(object, response);
    if (wrong !== undefined) return wrong;
    const sizeBytes = (await response.bytes()).length;
    const tookMs = performance.now() - startMs;
    if (sizeBytes === 1) return ok(object, `a piece of it comes in ${tookMs.toFixed(1)} ms`);
    return error(object, `asked for 1 byte it sent ${sizeBytes}`, inFront);
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const why = late.aborted ? `no answer within ${timeoutMs / 1_000} s` : message;
    return error(object, `it cannot be read from here: ${why}`, "is its gateway up and reachable?");
  } finally {
    enough.abort();
  }
}

const inFront =
  "let what stands before the gateway pass Range and its answers through: see deploy/nginx";

function faultOf(object: string, { status, headers }: Response): Seen | undefined {
  if (status === 200) {
    return error(object, "a Range is answered with the whole file: players cannot seek", inFront);
  }
  if (status === 416) return skipped(object, "it is empty, so there is no piece to ask for");
  if (status === 401 || status === 403) {
    return error(object, `it answers ${status}`, "give a link that is signed: dsm url --expires");
  }
  if (status !== 206) {
    return error(object, `it answers ${status}`, "give the URL of a file that is there: dsm url");
  }
  if (!/^bytes 0-0\/\d+$/.test(headers.get("Content-Range") ?? "")) {
    return error(object, "its 206 does not say which piece it is (Content-Range)", inFront);
  }
  // Without one that is strong a player that reconnects may mix two versions of the file.
  if (headers.get("ETag")?.startsWith('"') !== true) {
    return error(object, "its answer has no strong ETag", inFront);
  }
  return undefined;
}

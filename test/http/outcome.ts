import { partsOf } from "./multipart-parser.ts";
import type { Content } from "./placed-file.ts";
import { type Answer, fieldOf, type Wire, WireError } from "./wire.ts";

/** What of an answer two servers must have in common, as far as their files are the same. */
export interface Outcome {
  readonly status: number;
  readonly contentRange: string | undefined;
  /** Of several parts it is as long as their boundaries: not compared. */
  readonly contentLength: string | undefined;
  readonly acceptRanges: string | undefined;
  readonly hasEtag: boolean;
  /** As `first-last`, in their order, as far as was read; undefined where there is one or none. */
  readonly parts: readonly string[] | undefined;
  /** Only the beginning of the body was read. */
  readonly isCut: boolean;
  /** Each byte that came is the one that stands there in the file. */
  readonly isRight: boolean;
}

/** Of bodies that are longer only the beginning is read, and the connection is given up. */
const readMaxBytes = 1024 ** 2 + 64 * 1024;
const beginningBytes = 64 * 1024;

/** Reads an answer and checks its bytes. @returns whether the wire may be used again, too */
export async function readOutcome(
  wire: Wire,
  method: string,
  content: Content,
): Promise<{ outcome: Outcome; isReusable: boolean }> {
  const head = await wire.head();
  const length = fieldOf(head, "content-length");
  const hasBody = method !== "HEAD" && head.status !== 304;
  if (hasBody && length === undefined) throw new WireError(`a ${head.status} without length`);
  const bodyBytes = hasBody ? Number(length) : 0;
  const body = await wire.bytes(bodyBytes > readMaxBytes ? beginningBytes : bodyBytes);
  const isWhole = body.length === bodyBytes;
  const answer: Answer = { ...head, framing: "length", body };
  const contentRange = fieldOf(answer, "content-range");
  const isMultipart = fieldOf(answer, "content-type")?.startsWith("multipart") === true;
  const carried = isMultipart && hasBody ? checkedParts(answer, content, !isWhole) : undefined;
  const isError = head.status >= 400;
  const outcome: Outcome = {
    status: head.status,
    contentRange,
    // A 304 needs none, and errors are each server's own: of both nothing but the status counts.
    contentLength: head.status < 300 && !isMultipart ? length : undefined,
    acceptRanges: isError ? undefined : fieldOf(answer, "accept-ranges"),
    hasEtag: !isError && fieldOf(answer, "etag") !== undefined,
    isCut: !isWhole,
    parts: carried?.parts,
    isRight:
      carried?.isRight ??
      (isMultipart || head.status >= 300 || startsRight(body, contentRange, content)),
  };
  const isClosing = /^close$/i.test(fieldOf(answer, "connection") ?? "");
  return { outcome, isReusable: isWhole && !isClosing };
}

function checkedParts(answer: Answer, content: Content, isCut: boolean) {
  const parts = partsOf(answer, isCut);
  return {
    parts: parts.map(({ first, last }) => `${first}-${last}`),
    isRight: parts.every(
      ({ first, last, bytes, sizeBytes }) =>
        sizeBytes === content.sizeBytes &&
        bytes.equals(content.slice(first, first + bytes.length)) &&
        (isCut || bytes.length === last + 1 - first),
    ),
  };
}

function startsRight(body: Buffer, contentRange: string | undefined, content: Content): boolean {
  const start = Number(/^bytes (\d+)-/.exec(contentRange ?? "bytes 0-")?.[1]);
  return body.equals(content.slice(start, start + body.length));
}

export interface ReceivedPart {
  readonly contentType: string | undefined;
  /** Of Content-Range; the last byte is part of it. */
  readonly first: number;
  readonly last: number;
  readonly sizeBytes: number;
  readonly bytes: Buffer;
}

/**
 * The parts of a multipart/byteranges body, by RFC 2046, section 5.1.1, alone: delimiters are
 * looked for in the bytes, as a client does that trusts no length. Shares no code with what is
 * tested. @throws Error for anything out of order, bytes behind the end included
 */
export function parseByteranges(contentType: string, body: Buffer): ReceivedPart[] {
  const boundary = /^multipart\/byteranges; boundary=([0-9a-zA-Z'()+_,./:=?-]{1,70})$/.exec(
    contentType,
  )?.[1];
  if (boundary === undefined) throw new Error(`no boundary in ${contentType}`);
  const opening = Buffer.from(`--${boundary}\r\n`);
  if (!body.subarray(0, opening.length).equals(opening)) throw new Error("no first delimiter");
  const parts: ReceivedPart[] = [];
  let at = opening.length;
  for (;;) {
    const end = body.indexOf(`\r\n--${boundary}`, at, "latin1");
    if (end < 0) throw new Error("a part has no end");
    parts.push(parsePart(body.subarray(at, end)));
    at = end + boundary.length + 4;
    const rest = body.toString("latin1", at, at + 4);
    if (rest === "--\r\n" && at + 4 === body.length) return parts;
    if (!rest.startsWith("\r\n")) throw new Error(`${JSON.stringify(rest)} behind a delimiter`);
    at += 2;
  }
}

function parsePart(part: Buffer): ReceivedPart {
  const headEnd = part.indexOf("\r\n\r\n");
  if (headEnd < 0) throw new Error("a part has no empty line");
  const fields = new Map<string, string>();
  for (const line of part.toString("latin1", 0, headEnd).split("\r\n")) {
    const colon = line.indexOf(":");
    fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(fields.get("content-range") ?? "");
  if (range === null) throw new Error("a part has no Content-Range");
  const [first, last, sizeBytes] = range.slice(1).map(Number) as [number, number, number];
  const bytes = part.subarray(headEnd + 4);
  if (bytes.length !== last - first + 1) throw new Error("a part is not as long as it says");
  return { contentType: fields.get("content-type"), first, last, sizeBytes, bytes };
}

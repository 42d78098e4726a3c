import { type Answer, type Field, fieldOf } from "./wire.ts";

export interface Part {
  readonly fields: readonly Field[];
  readonly first: number;
  readonly last: number;
  readonly sizeBytes: number;
  readonly bytes: Buffer;
}

/**
 * The parts of a multipart/byteranges body (RFC 9110, section 14.6; RFC 2046, section 5.1), by
 * the lengths that each part's Content-Range tells.
 * @param isCut the body was read no further: its last part may lack bytes
 * @throws Error where a byte is other than the grammar says
 */
export function partsOf(answer: Answer, isCut = false): Part[] {
  const type = fieldOf(answer, "content-type") ?? "";
  const [, quoted, token] =
    /^multipart\/byteranges; *boundary=(?:"([^"]{1,70})"|([\w'+.-]{1,70}))$/i.exec(type) ?? [];
  const boundary = quoted ?? token;
  if (boundary === undefined) throw new Error(`no boundary: ${type}`);
  const { body } = answer;
  let at = 0;
  const expectText = (text: string) => {
    const found = body.toString("latin1", at, at + text.length);
    if (found !== text) throw new Error(`${JSON.stringify(found)}, not ${JSON.stringify(text)}`);
    at += text.length;
  };
  const parts: Part[] = [];
  // RFC 2046, section 5.1.1: a preamble is allowed too; nginx has an empty one.
  if (body.toString("latin1", 0, 2) === "\r\n") expectText("\r\n");
  expectText(`--${boundary}`);
  for (;;) {
    expectText("\r\n");
    const headEnd = body.indexOf("\r\n\r\n", at, "latin1");
    if (headEnd < 0 && isCut) return parts;
    if (headEnd < 0) throw new Error("a part without the end of its head");
    const fields = body.toString("latin1", at, headEnd).split("\r\n").map(fieldOfLine);
    at = headEnd + 4;
    const range = fields.find(([name]) => name.toLowerCase() === "content-range")?.[1] ?? "";
    const numbers = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range)?.slice(1).map(Number);
    const [first, last, sizeBytes] = numbers ?? [];
    if (first === undefined || last === undefined || sizeBytes === undefined) {
      throw new Error(`a part without Content-Range: ${range}`);
    }
    const bytes = body.subarray(at, at + last - first + 1);
    parts.push({ fields, first, last, sizeBytes, bytes });
    at += bytes.length;
    if (isCut && body.length - at < boundary.length + 6) return parts;
    expectText(`\r\n--${boundary}`);
    if (body.toString("latin1", at, at + 2) === "--") break;
  }
  expectText("--");
  // RFC 2046, section 5.1.1: an epilogue is allowed; an empty one is all that anybody sends.
  if (at < body.length) expectText("\r\n");
  if (at !== body.length) throw new Error(`${body.length - at} bytes behind the last delimiter`);
  return parts;
}

function fieldOfLine(line: string): Field {
  const [, name, value] = /^([\w-]+): ?(.*)$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`no field of a part: ${line}`);
  return [name, value];
}

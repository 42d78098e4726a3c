import { DsmError } from "@dsm/protocol";

/**
 * What Content-Length says of a body in bytes; undefined where it is not there. Two lines are
 * joined with a comma by whoever read them, and are refused also where they are the same.
 * RFC 9110, section 8.6: 1*DIGIT.
 * @throws DsmError BAD_REQUEST
 */
export function announcedLength(headers: Headers): number | undefined {
  const length = headers.get("Content-Length");
  if (length === null) return undefined;
  if (/^\d{1,16}$/.test(length)) return Number(length);
  throw new DsmError("BAD_REQUEST", `Content-Length ${JSON.stringify(length)} is not a length`, {
    remedy: "send one length in digits, or none and a chunked body",
  });
}

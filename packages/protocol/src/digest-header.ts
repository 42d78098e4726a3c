import { DsmError } from "./errors.ts";

const names = ["Repr-Digest", "Content-Digest"] as const;
const sha256Item = /^sha-256=:([A-Za-z0-9+/]{43}=):$/;

/** The value of Want-Repr-Digest: which algorithms are checked (RFC 9530, section 4). */
export const wantedDigest = "sha-256=10";

/**
 * A Repr-Digest between the SDK and the data port of a storage, for bytes whose SHA-256 is known
 * only at their end: it lies behind them, in the last `digestAtEndBytes` of the body, which are no
 * part of the file. To whoever does not know it this is a malformed sha-256 and so a 400, before
 * anything is stored: those bytes never become content. See `digestAtEnd` in the message table.
 */
export const digestAtEnd = "sha-256=at-end";
export const digestAtEndBytes = 32;

/**
 * The SHA-256 that the client says the bytes have, from Repr-Digest or Content-Digest
 * (RFC 9530). Both mean the same here, for an upload has neither coding nor range.
 * @param fields of the head or of the trailers (RFC 9530, sections 2 and 3, allow both)
 * @returns 64 hex digits, or undefined when the client said none
 * @throws DsmError BAD_REQUEST for a malformed sha-256 or two that differ, DIGEST_UNSUPPORTED when
 * there are only other algorithms: to store what was to be checked and was not would mislead
 */
export function expectedSha256(fields: Headers): string | undefined {
  const said = names.flatMap((name) => itemsOf(fields, name));
  const [first, second] = said.flatMap(sha256Of);
  if (second !== undefined && second !== first) {
    throw new DsmError("BAD_REQUEST", "Repr-Digest and Content-Digest name different digests");
  }
  const [other] = said;
  if (first !== undefined || other === undefined) return first;
  throw new DsmError(
    "DIGEST_UNSUPPORTED",
    `no sha-256 is in ${other.name}, and no other is known`,
    {
      remedy: "send it as sha-256=:BASE64: (RFC 9530), or no digest at all",
    },
  );
}

interface Item {
  readonly name: string;
  readonly text: string;
}

function itemsOf(fields: Headers, name: string): Item[] {
  const texts = (fields.get(name) ?? "").split(",").map((text) => text.trim());
  return texts.filter((text) => text !== "").map((text) => ({ name, text }));
}

function sha256Of({ name, text }: Item): string[] {
  if (!/^sha-256=/i.test(text)) return [];
  const base64 = sha256Item.exec(text)?.[1];
  if (base64 !== undefined) return [Buffer.from(base64, "base64").toString("hex")];
  throw new DsmError("BAD_REQUEST", `the sha-256 in ${name} is malformed`, {
    remedy: "write it as sha-256=:BASE64: (RFC 9530)",
  });
}

import { DsmError } from "./errors.ts";

const sha256Item = /^sha-256=:([A-Za-z0-9+/]{43}=):$/;

/**
 * The SHA-256 that the client says the bytes have, from Repr-Digest or Content-Digest
 * (RFC 9530). Both mean the same here, for an upload has neither coding nor range.
 * @returns 64 hex digits, or undefined when the client said none or only other algorithms
 * @throws DsmError BAD_REQUEST for a malformed sha-256 or two that differ
 */
export function expectedSha256(headers: Headers): string | undefined {
  const said = ["Repr-Digest", "Content-Digest"].flatMap((name) => fromHeader(headers, name));
  const [first, second] = said;
  if (second !== undefined && second !== first) {
    throw new DsmError("BAD_REQUEST", "Repr-Digest and Content-Digest name different digests");
  }
  return first;
}

function fromHeader(headers: Headers, name: string): string[] {
  const items = headers.get(name)?.split(",") ?? [];
  const sha256 = items.map((item) => item.trim()).filter((item) => /^sha-256=/i.test(item));
  return sha256.map((item) => {
    const base64 = sha256Item.exec(item)?.[1];
    if (base64 !== undefined) return Buffer.from(base64, "base64").toString("hex");
    throw new DsmError("BAD_REQUEST", `the sha-256 in ${name} is malformed`, {
      remedy: "write it as sha-256=:BASE64: (RFC 9530)",
    });
  });
}

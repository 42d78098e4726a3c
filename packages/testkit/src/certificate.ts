import { generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";

/** A certificate that vouches for itself, and its key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** In hex, as X509Certificate and TLS sockets tell it. */
  readonly serialNumber: string;
}

const dayMs = 86_400_000;
const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));

/**
 * Makes a certificate for localhost, 127.0.0.1 and ::1 (RFC 5280, section 4.1), so that no test
 * needs a tool for it. A client trusts it when it is given as its authority.
 */
export function makeCertificate(days = 30): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const now = Date.now();
  const name = sequence(
    tag(0x31, sequence(oid("2.5.4.3"), tag(0x0c, Buffer.from("dsm test")))), // commonName
  );
  const serial = randomBytes(8);
  serial[0] = 0x40; // positive, without a leading zero
  const body = sequence(
    tag(0xa0, tag(0x02, Buffer.of(2))), // version 3
    tag(0x02, serial),
    ecdsaWithSha256,
    name,
    sequence(time(now - dayMs), time(now + days * dayMs)),
    name,
    publicKey.export({ format: "der", type: "spki" }),
    tag(0xa3, sequence(authority, names)),
  );
  const signature = bits(sign("sha256", body, privateKey));
  const certificate = new X509Certificate(sequence(body, ecdsaWithSha256, signature));
  return {
    cert: certificate.toString(),
    key: privateKey.export({ format: "pem", type: "pkcs8" }),
    serialNumber: certificate.serialNumber,
  };
}

/** BasicConstraints: it may be given as an authority. */
const authority = sequence(oid("2.5.29.19"), tag(0x04, sequence(tag(0x01, Buffer.of(0xff)))));

/** SubjectAltName: dNSName is 2 and iPAddress is 7 there. */
const names = sequence(
  oid("2.5.29.17"),
  tag(
    0x04,
    sequence(
      tag(0x82, Buffer.from("localhost")),
      tag(0x87, Buffer.of(127, 0, 0, 1)),
      tag(0x87, Buffer.from("00000000000000000000000000000001", "hex")),
    ),
  ),
);

/** GeneralizedTime, as 20261122120000Z. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return tag(0x18, Buffer.from(digits));
}

/** A BIT STRING of whole bytes. */
function bits(content: Buffer): Buffer {
  return tag(0x03, Buffer.concat([Buffer.of(0), content]));
}

function sequence(...parts: Buffer[]): Buffer {
  return tag(0x30, Buffer.concat(parts));
}

/** An object identifier as `2.5.4.3`: two numbers in the first byte, then base 128. */
function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = rest.flatMap((number) => {
    const digits = [number & 0x7f];
    for (let left = number >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return tag(0x06, Buffer.of(first * 40 + second, ...bytes));
}

/** A value in DER (X.690, section 8.1): its tag, its length, its bytes. */
function tag(id: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(id, length), content]);
  if (length < 0x100) return Buffer.concat([Buffer.of(id, 0x81, length), content]);
  return Buffer.concat([Buffer.of(id, 0x82, length >> 8, length & 0xff), content]);
}

import { isIPv4, isIPv6 } from "node:net";

/**
 * The one written form of an IP address, so that two can be compared as text: IPv6 in lower case
 * and compressed (RFC 5952), and an IPv4-mapped one (::ffff:1.2.3.4), as which a socket that
 * listens on both families names IPv4 peers, as the IPv4 address that it is.
 * @returns undefined for anything else, addresses with a zone among them
 */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text)) return undefined;
  const compressed = URL.parse(`http://[${text}]`)?.hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(compressed ?? "");
  if (mapped === null) return compressed;
  const [high, low] = [mapped[1], mapped[2]].map((digits) => Number.parseInt(digits ?? "", 16));
  return [high! >> 8, high! & 255, low! >> 8, low! & 255].join(".");
}

/** All addresses that begin with the same bits. */
export interface AddressRange {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  readonly prefixBits: number;
}

/** Reads an address or a CIDR range, as `10.0.0.0/8`. @returns undefined for anything else */
export function parseAddressRange(text: string): AddressRange | undefined {
  const [, written = "", bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = canonicalAddress(written);
  if (address === undefined) return undefined;
  const family = isIPv4(address) ? "ipv4" : "ipv6";
  const maxBits = family === "ipv4" ? 32 : 128;
  const prefixBits = bits === undefined ? maxBits : Number(bits);
  return prefixBits > maxBits ? undefined : { address, family, prefixBits };
}

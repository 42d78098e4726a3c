import { BlockList } from "node:net";
import { canonicalAddress, DsmError, parseAddressRange } from "@dsm/protocol";

/**
 * What is known of a client that came through proxies. Anyone can send the headers in which
 * proxies say whom they speak for, so they count only as far as trusted proxies wrote them.
 */
export class TrustedProxies {
  readonly #ranges = new BlockList();

  /** @throws DsmError BAD_CONFIG for what is neither an IP address nor a CIDR range */
  constructor(ranges: readonly string[]) {
    for (const written of ranges) {
      const range = parseAddressRange(written);
      if (range === undefined) {
        throw new DsmError("BAD_CONFIG", `${JSON.stringify(written)} is no address of a proxy`, {
          remedy: "give an IP address or a range of them, as 10.0.0.0/8",
        });
      }
      this.#ranges.addSubnet(range.address, range.prefixBits, range.family);
    }
  }

  /**
   * The address of the client in its canonical form: that of the peer, or, when that is a trusted
   * proxy, the last one in its chain that is not. Undefined when it cannot be known.
   */
  clientAddress(headers: Headers, peer: string): string | undefined {
    const address = canonicalAddress(peer);
    if (!this.#trusts(address)) return address;
    const chains = [hopsOfXForwardedFor(headers), hopsOfForwarded(headers)].filter(
      (hops) => hops.length > 0,
    );
    const [first, second] = chains.map((hops) => this.#firstOutside(hops));
    // A proxy writes one of the two headers and may pass on the other as its client sent it, so
    // two that differ prove nothing.
    if (chains.length === 2 && first !== second) return undefined;
    return chains.length === 0 ? address : first;
  }

  /** Scheme, host and port as the client wrote them, without a slash at the end. */
  origin(request: Request, peer: string): string {
    const own = new URL(request.url);
    if (!this.#trusts(canonicalAddress(peer))) return own.origin;
    const scheme = lastOf(request.headers.get("X-Forwarded-Proto")) ?? own.protocol.slice(0, -1);
    const host = lastOf(request.headers.get("X-Forwarded-Host")) ?? own.host;
    const isWellFormed = /^https?$/.test(scheme) && /^[A-Za-z0-9.:[\]-]+$/.test(host);
    return (isWellFormed ? URL.parse(`${scheme}://${host}`)?.origin : undefined) ?? own.origin;
  }

  #trusts(address: string | undefined): boolean {
    if (address === undefined) return false;
    return this.#ranges.check(address, address.includes(":") ? "ipv6" : "ipv4");
  }

  /** From the nearest hop to the farthest; the farthest when all are trusted. */
  #firstOutside(hops: Hops): string | undefined {
    const at = hops.findLastIndex((hop) => !this.#trusts(hop));
    return hops[Math.max(at, 0)];
  }
}

/** Nearest hop last, as in the header. What is no address is undefined. */
type Hops = ReadonlyArray<string | undefined>;

function hopsOfXForwardedFor(headers: Headers): Hops {
  const written = headers.get("X-Forwarded-For");
  return written === null ? [] : written.split(",").map((hop) => nodeAddress(hop.trim()));
}

// Elements are separated by commas, their pairs by semicolons, outside of quotes.
const elementPattern = /(?:[^,"]|"(?:\\.|[^"\\])*"?)+/g;
const forPattern = /(?:^|;)\s*for\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^;\s]*))/i;

/** RFC 7239, section 4. */
function hopsOfForwarded(headers: Headers): Hops {
  const elements = headers.get("Forwarded")?.match(elementPattern) ?? [];
  return elements.map((element) => {
    const [, quoted, plain = ""] = forPattern.exec(element) ?? [];
    return nodeAddress(quoted?.replaceAll(/\\(.)/g, "$1") ?? plain);
  });
}

/** The address of `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`. */
function nodeAddress(node: string): string | undefined {
  const [, bracketed, dotted] = /^\[([^\]]*)\](?::\w+)?$|^([\d.]+):\w+$/.exec(node) ?? [];
  return canonicalAddress(bracketed ?? dotted ?? node);
}

function lastOf(list: string | null): string | undefined {
  return list?.split(",").at(-1)?.trim() || undefined;
}

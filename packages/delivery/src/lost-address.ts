import { systemErrorCode } from "@dsm/protocol";

/**
 * Whether an address is no longer one of this host, as when Keepalived has moved it away: what is
 * sent from it leaves no more, and nobody is told. The kernel knows, and says so to who would
 * listen there; where it allows to listen anywhere (ip_nonlocal_bind) nothing seems lost.
 */
export function isLostAddress(hostname: string): boolean {
  try {
    using _probe = Bun.listen({ hostname, port: 0, socket: { data() {} } });
    return false;
  } catch (error) {
    return systemErrorCode(error) === "EADDRNOTAVAIL";
  }
}

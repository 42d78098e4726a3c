import { isIPv6 } from "node:net";
import { DsmError } from "@dsm/protocol";

export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
}

// RFC 3986, section 3.2.2: an IPv6 address stands in brackets, so that its colons end nothing.
const endpointPattern = /^(?:\[(?<ipv6>[^[\]]+)\]|(?<name>[A-Za-z0-9._-]+)):(?<port>[0-9]{1,5})$/;
const portMax = 65_535;
const shownMaxChars = 80;

/**
 * Reads `host:port` or `[::1]:port`. Port 0 is read too: to listen there means any free port.
 * @throws DsmError BAD_CONFIG
 */
export function parseEndpoint(text: string): Endpoint {
  const parts = endpointPattern.exec(text)?.groups;
  if (parts === undefined) throw notAnEndpoint(text, "it is not host:port");
  const { ipv6, name } = parts;
  const port = Number(parts["port"]);
  if (port > portMax) throw notAnEndpoint(text, `a port is at most ${portMax}`);
  if (ipv6 !== undefined && !isIPv6(ipv6)) {
    throw notAnEndpoint(text, "what stands in brackets is no IPv6 address");
  }
  return { hostname: ipv6 ?? name ?? "", port };
}

export function formatEndpoint(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function notAnEndpoint(text: string, why: string): DsmError {
  const shown = JSON.stringify(text.slice(0, shownMaxChars));
  return new DsmError("BAD_CONFIG", `${shown} is not an endpoint: ${why}`, {
    remedy: "write host:port, or [address]:port for IPv6",
  });
}

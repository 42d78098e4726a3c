import { DsmError, parseAddressRange } from "@dsm/protocol";
import { type Kind, type Reading, textKind } from "./kind.ts";

export interface HostPort {
  /** A name, an IPv4 address, or an IPv6 address without its brackets. */
  readonly hostname: string;
  readonly port: number;
}

const portMax = 65_535;
const hostPortPattern = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/;

/** Where a server listens. Port 0 lets the system choose one. */
export const listenAddress: Kind<HostPort> = textKind({
  rule: "HOST:PORT, as in 127.0.0.1:7600 or [::1]:7600",
  hint: "HOST:PORT",
  read: (written) => readHostPort(written, 0),
  show: showHostPort,
});

/** Where a server is reached; kept as text, since that is how it is passed on. */
export const endpoint: Kind<string> = textKind({
  rule: "HOST:PORT, as in 127.0.0.1:7600 or [::1]:7600",
  hint: "HOST:PORT",
  read: (written) => {
    const reading = readHostPort(written, 1);
    return "fault" in reading ? reading : { value: showHostPort(reading.value) };
  },
  show: (value) => value,
});

function readHostPort(written: string, minPort: number): Reading<HostPort> {
  const match = hostPortPattern.exec(written);
  const hostname = match?.[1] ?? match?.[2];
  if (match === null || hostname === undefined) return { fault: "it is not of the form HOST:PORT" };
  const port = Number(match[3]);
  if (port > portMax || port < minPort) {
    return { fault: `its port is not from ${minPort} to ${portMax}` };
  }
  return { value: { hostname, port } };
}

export function showHostPort({ hostname, port }: HostPort): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** An IP address, or all that begin with the same bits, as CIDR; kept as text. */
export const addressRange: Kind<string> = textKind({
  rule: "an IP address or a range of them, as in 10.0.0.7, 10.0.0.0/8 or fd00::/8",
  hint: "ADDRESS[/BITS]",
  read: (value) =>
    parseAddressRange(value) === undefined
      ? { fault: "it is neither an address nor a range" }
      : { value },
  show: (value) => value,
});

/** A URL of one of these protocols, each with its colon, written back as it came. */
export function url(protocols: readonly string[], example: string): Kind<string> {
  return urlKind(protocols, example, (value) => value);
}

/** The same, of several servers too: `mysql://user@h1:3306,h2:3306/db`. */
export function serversUrl(protocols: readonly string[], example: string): Kind<string> {
  // All but the first address is for whoever opens it to judge.
  return urlKind(protocols, example, (value) =>
    value.replace(/^([a-z]+:\/\/(?:[^/?#]*@)?[^/?#,]*),[^/?#]*/, "$1"),
  );
}

function urlKind(
  protocols: readonly string[],
  example: string,
  judged: (value: string) => string,
): Kind<string> {
  return textKind({
    rule: `a URL as ${example}`,
    hint: "URL",
    read: (value) => {
      const protocol = URL.parse(judged(value))?.protocol;
      if (protocol === undefined) return { fault: "it is no URL" };
      if (!protocols.includes(protocol)) return { fault: `its protocol ${protocol} is unknown` };
      return { value };
    },
    show: (value) => value,
  });
}

/** The value of a flag of its own as an address. @throws DsmError USAGE */
export function parseListenAddress(flag: string, written: string): HostPort {
  const reading = listenAddress.fromText(written);
  if ("value" in reading) return reading.value;
  const message = `${flag}: ${JSON.stringify(written)} is wrong: ${reading.fault}`;
  throw new DsmError("USAGE", message, { remedy: `give ${listenAddress.rule}` });
}

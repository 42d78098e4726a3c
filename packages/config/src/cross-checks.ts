import { DsmError, isLoopback, isWildcard } from "@dsm/protocol";
import { type HostPort, showHostPort } from "./kinds/addresses.ts";
import type { ConfigRole } from "./option.ts";

type Loaded = Readonly<Record<string, unknown>>;

/**
 * What no option can check alone.
 * @param placeOf gives the words that name where an option was set, or could be
 * @throws DsmError BAD_CONFIG
 */
export function assertFits(role: ConfigRole, loaded: Loaded, placeOf: (key: string) => string) {
  if (role === "gateway") assertGuarded(loaded, placeOf);
  if (role === "gateway") assertSignable(loaded, placeOf);
  if (role === "gateway" || role === "storage") assertPair(loaded, placeOf);
  if (role === "gateway") assertSecured(loaded, placeOf);
  if (role === "storage") assertReachable(loaded, placeOf);
  if (role === "storage") assertPublic(loaded, placeOf);
  if (role === "storage") assertEncrypted(loaded, placeOf);
}

// Design, section 6, invariant 7: open mode exists for loopback only.
function assertGuarded({ http, writeKey }: Loaded, placeOf: (key: string) => string): void {
  const address = http as HostPort;
  if (writeKey !== undefined || isLoopback(address.hostname)) return;
  throw new DsmError(
    "BAD_CONFIG",
    `${placeOf("http")}: ${showHostPort(address)} is open to others than this machine and there ` +
      "is no write key",
    { remedy: "set DSM_WRITE_KEY or write_key in [gateway], or listen on 127.0.0.1" },
  );
}

/** Nobody could read where links are asked for and none can be good. */
function assertSignable({ reads, linkKeys }: Loaded, placeOf: (key: string) => string): void {
  if (reads !== "signed" || linkKeys !== undefined) return;
  throw new DsmError("BAD_CONFIG", `${placeOf("reads")}: signed reads need a link key`, {
    remedy:
      "set DSM_LINK_KEYS or link_keys in [gateway] to ID:SECRET, the secret from: " +
      "openssl rand -hex 32",
  });
}

function assertPair({ tlsCert, tlsKey }: Loaded, placeOf: (key: string) => string): void {
  if ((tlsCert === undefined) === (tlsKey === undefined)) return;
  const [given, lacking, flag] =
    tlsKey === undefined
      ? ["tlsCert", "key", "--tls-key, DSM_TLS_KEY or tls_key"]
      : ["tlsKey", "certificate", "--tls-cert, DSM_TLS_CERT or tls_cert"];
  throw new DsmError("BAD_CONFIG", `${placeOf(given)}: TLS needs a ${lacking} as well`, {
    remedy: `set ${flag}`,
  });
}

/** RFC 9114, section 3.1: HTTP/3 is for https alone. */
function assertSecured({ http3, tlsCert }: Loaded, placeOf: (key: string) => string): void {
  if (http3 !== true || tlsCert !== undefined) return;
  throw new DsmError("BAD_CONFIG", `${placeOf("http3")}: HTTP/3 needs TLS`, {
    remedy: "set --tls-cert and --tls-key, or leave HTTP/3 out",
  });
}

function assertReachable({ listen, dataUrl }: Loaded, placeOf: (key: string) => string): void {
  const address = listen as HostPort;
  if (dataUrl !== undefined || !isWildcard(address.hostname)) return;
  throw noDestination(placeOf("listen"), address, "data");
}

function assertPublic(loaded: Loaded, placeOf: (key: string) => string): void {
  const { publicListen, publicUrl, workers } = loaded;
  const address = publicListen as HostPort | undefined;
  if (address === undefined) return;
  if (address.port === 0 && (workers as number) > 1) {
    const what = `${placeOf("publicListen")}: ${String(workers)} workers cannot share port 0`;
    throw new DsmError("BAD_CONFIG", what, { remedy: "name a port, or use one worker" });
  }
  if (publicUrl !== undefined || !isWildcard(address.hostname)) return;
  throw noDestination(placeOf("publicListen"), address, "public");
}

/** Where the data port itself speaks TLS, whoever is told of it must know. */
function assertEncrypted(
  { tlsCert, publicListen, dataUrl }: Loaded,
  placeOf: (key: string) => string,
): void {
  if (tlsCert === undefined || publicListen !== undefined) return;
  if (dataUrl === undefined || (dataUrl as string).startsWith("https:")) return;
  const what = `${placeOf("dataUrl")}: the data port speaks TLS, and ${String(dataUrl)} does not`;
  throw new DsmError("BAD_CONFIG", what, {
    remedy: "begin it with https://, or give TLS a port of its own with --public-listen",
  });
}

function noDestination(place: string, address: HostPort, side: "data" | "public"): DsmError {
  const what = `${place}: ${showHostPort(address)} is no address that others can connect to`;
  return new DsmError("BAD_CONFIG", what, {
    remedy:
      `set --${side}-url, DSM_${side.toUpperCase()}_URL or ${side}_url in [storage] to one ` +
      "that they can",
  });
}

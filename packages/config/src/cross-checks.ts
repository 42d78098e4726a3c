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
  if (role === "storage") assertReachable(loaded, placeOf);
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

function assertReachable({ listen, dataUrl }: Loaded, placeOf: (key: string) => string): void {
  const address = listen as HostPort;
  if (dataUrl !== undefined || !isWildcard(address.hostname)) return;
  throw new DsmError(
    "BAD_CONFIG",
    `${placeOf("listen")}: ${showHostPort(address)} is no address that others can connect to`,
    { remedy: "set --data-url, DSM_DATA_URL or data_url in [storage] to one that they can" },
  );
}

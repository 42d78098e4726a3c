import { DsmError, isLoopback, sameProof } from "@dsm/protocol";

/**
 * Who may write and list: whoever has the write key. Only a gateway that listens on loopback may
 * go without one (design, invariant 7).
 */
export interface Access {
  /** Whether the request bears the write key; never where there is none. */
  holdsWriteKey(request: Request): boolean;
  /** @throws DsmError UNAUTHENTICATED or FORBIDDEN */
  assertMayWriteOrList(request: Request): void;
}

/** @throws DsmError BAD_CONFIG when the gateway would be open to more than this machine */
export function accessFor(hostname: string, writeKey: string | undefined): Access {
  if (writeKey === undefined && !isLoopback(hostname)) {
    throw new DsmError("BAD_CONFIG", `a gateway on ${hostname} would let anyone write and list`, {
      remedy: "give it a key (DSM_WRITE_KEY, or write_key in the file), or listen on 127.0.0.1",
    });
  }
  return {
    holdsWriteKey(request) {
      const key = keyOf(request);
      return writeKey !== undefined && key !== undefined && sameProof(key, writeKey);
    },
    assertMayWriteOrList(request) {
      if (writeKey === undefined) return;
      const key = keyOf(request);
      if (key === undefined) {
        throw new DsmError("UNAUTHENTICATED", "writing and listing need a key", {
          remedy: "send it as Authorization: Bearer KEY",
        });
      }
      if (!sameProof(key, writeKey)) {
        throw new DsmError("FORBIDDEN", "the key is not the write key of this gateway", {
          remedy: "ask whoever runs the gateway for the key",
        });
      }
    },
  };
}

function keyOf(request: Request): string | undefined {
  return /^Bearer (.+)$/.exec(request.headers.get("Authorization") ?? "")?.[1];
}

import { canonicalAddress, DsmError, isLoopback, sameProof } from "@dsm/protocol";

/**
 * Who may read the metrics of a storage: whoever has the key for it, and without one only this
 * machine, for the data port may be open to many.
 * @throws DsmError UNAUTHENTICATED or FORBIDDEN
 */
export function assertMayScrape(
  metricsKey: string | undefined,
  request: Request,
  remoteAddress: string,
): void {
  if (metricsKey === undefined) {
    if (isLoopback(canonicalAddress(remoteAddress) ?? remoteAddress)) return;
    throw new DsmError("FORBIDDEN", "the metrics of this storage are for its own machine", {
      remedy: "give the storage a key for them (DSM_METRICS_KEY, or metrics_key in the file)",
    });
  }
  const shown = /^Bearer +(.+)$/i.exec(request.headers.get("Authorization") ?? "")?.[1];
  if (shown === undefined) {
    throw new DsmError("UNAUTHENTICATED", "the metrics of this storage need a key", {
      remedy: "send it as Authorization: Bearer KEY",
    });
  }
  if (sameProof(shown, metricsKey)) return;
  throw new DsmError("FORBIDDEN", "the key is not the metrics key of this storage", {
    remedy: "compare it with metrics_key of the storage",
  });
}

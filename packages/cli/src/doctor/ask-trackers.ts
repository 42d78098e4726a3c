import { type ClusterSecret, DsmError, limits } from "@dsm/protocol";
import { RpcClient } from "@dsm/rpc";
import type { ClockReading } from "./clock.ts";
import type { TrackerView } from "./subject.ts";

/** Asks each tracker once; the checks of the cluster work with what they said. */
export function askTrackers(
  endpoints: readonly string[],
  secret: ClusterSecret,
): Promise<TrackerView[]> {
  return Promise.all(endpoints.map((endpoint) => askTracker(endpoint, secret)));
}

async function askTracker(endpoint: string, secret: ClusterSecret): Promise<TrackerView> {
  const client = new RpcClient({ endpoint, role: "client", secret, requestTimeoutMs });
  try {
    const pinged = await ping(client);
    return { endpoint, ...pinged, status: await client.call("status", {}) };
  } catch (thrown) {
    return { endpoint, fault: DsmError.from(thrown, `asking ${endpoint}`) };
  } finally {
    client.close();
  }
}

const requestTimeoutMs = 2 * limits.connectTimeoutMs;

interface Pinged {
  readonly roundTripMs: number;
  readonly clock: ClockReading;
}

/** @throws DsmError as RpcClient.call */
export async function ping(client: RpcClient): Promise<Pinged> {
  // The first one carries the connection and its handshake, and would make the way look long.
  await client.call("ping", {});
  const askedMs = Date.now();
  const startMs = performance.now();
  const { nowMs } = await client.call("ping", {});
  const roundTripMs = performance.now() - startMs;
  const uncertainMs = roundTripMs / 2;
  return { roundTripMs, clock: { aheadMs: nowMs - (askedMs + uncertainMs), uncertainMs } };
}

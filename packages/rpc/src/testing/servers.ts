import { blobIdFromNumber, clusterSecret, type DsmError } from "@dsm/protocol";
import { RpcClient, type RpcClientOptions } from "../client.ts";
import { type RpcServer, type RpcServerOptions, serveRpc } from "../server.ts";

export const secret = clusterSecret("the secret of the cluster under test");
export const otherSecret = clusterSecret("the secret of some other cluster 123");

/** A server that keeps the faults it was told of. */
export interface WatchedServer extends RpcServer {
  readonly faults: DsmError[];
}

/** An ID server whose leases begin at their own count, so that answers can be told apart. */
export function idServer(options: Partial<RpcServerOptions> = {}): WatchedServer {
  const faults: DsmError[] = [];
  const server = serveRpc({
    hostname: "127.0.0.1",
    port: 0,
    role: "id",
    secret,
    handlers: {
      ping: () => ({ role: "id", nowMs: 1 }),
      lease: async ({ count }) => ({ first: blobIdFromNumber(count), count }),
    },
    onFault: (error) => faults.push(error),
    ...options,
  });
  // A spread would read `connections` now; this keeps asking the server.
  return Object.assign(server, { faults });
}

/** A storage's client that is closed when the scope ends. */
export function clientOf(
  endpoint: string,
  options: Partial<RpcClientOptions> = {},
): RpcClient & Disposable {
  const client = new RpcClient({ endpoint, role: "storage", secret, ...options });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

/** What a promise rejects with; fails when it does not. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (thrown) {
    return thrown;
  }
  throw new Error("expected a failure and got an answer");
}

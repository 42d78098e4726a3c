import { loadConfig } from "@dsm/config";
import { clusterSecret, DsmError } from "@dsm/protocol";
import { RpcClient } from "@dsm/rpc";
import { readClusterFile } from "../cluster-file.ts";
import { type ClusterArgs, defaultDataDir } from "../find-cluster.ts";
import type { Answer, PingTerms } from "./ping-http.ts";

/**
 * Asks a tracker or an ID server whether it is alive; both prove that they hold the secret.
 * @throws DsmError UNAUTHENTICATED without a secret, BAD_CONFIG, and as RpcClient.call
 */
export async function pingRpc(
  endpoint: string,
  args: Pick<ClusterArgs, "secret-file" | "config">,
  { timeoutMs, signal }: PingTerms,
): Promise<Answer & { role: string; nowMs: number }> {
  const client = new RpcClient({
    endpoint,
    role: "client",
    secret: clusterSecret(await secretOf(args)),
    connectTimeoutMs: timeoutMs,
  });
  try {
    const startMs = performance.now();
    const { role, nowMs } = await client.call("ping", {}, { timeoutMs, signal });
    return { what: `the ${role} answers`, tookMs: performance.now() - startMs, role, nowMs };
  } finally {
    client.close();
  }
}

async function secretOf(args: Pick<ClusterArgs, "secret-file" | "config">): Promise<string> {
  const config = await loadConfig("client", {
    flags: { secretFile: args["secret-file"] },
    env: process.env,
    configPath: args.config,
  });
  const secret = config.secret ?? (await readClusterFile(defaultDataDir))?.secret;
  if (secret !== undefined) return secret;
  throw new DsmError("UNAUTHENTICATED", "no cluster secret is given", {
    remedy: "name the file with the cluster's secret with --secret-file or DSM_SECRET_FILE",
  });
}

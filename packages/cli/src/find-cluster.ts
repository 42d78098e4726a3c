import { loadConfig } from "@dsm/config";
import { DsmError } from "@dsm/protocol";
import { readClusterFile } from "./cluster-file.ts";
import type { ArgsDef } from "./strict.ts";

/** The flags of every command that asks a cluster. */
export const clusterArgs = {
  tracker: {
    type: "string",
    valueHint: "HOST:PORT,…",
    description: "Trackers to ask. (Default: DSM_TRACKERS, the config file, ./.dsm/cluster.json)",
  },
  "secret-file": {
    type: "string",
    valueHint: "PATH",
    description: "File with the cluster secret. (Default: as for the trackers)",
  },
  config: { type: "string", valueHint: "PATH", description: "TOML file. (Default: DSM_CONFIG)" },
} as const satisfies ArgsDef;

export interface ClusterArgs {
  readonly tracker?: string | undefined;
  readonly "secret-file"?: string | undefined;
  readonly config?: string | undefined;
}

export interface FoundCluster {
  readonly trackers: readonly string[];
  readonly secret: string;
}

/** Where `dsm up` keeps its data unless told otherwise. */
export const defaultDataDir = ".dsm";

/**
 * Flags, then variables, then the config file, then what `dsm up` wrote in this folder.
 * @throws DsmError UNREACHABLE when nothing names a tracker, UNAUTHENTICATED when nothing gives
 * the secret
 */
export async function findCluster(args: ClusterArgs): Promise<FoundCluster> {
  const config = await loadConfig("client", {
    flags: { trackers: args.tracker, secretFile: args["secret-file"] },
    env: process.env,
    configPath: args.config,
  });
  if (config.trackers !== undefined && config.secret !== undefined) {
    return { trackers: config.trackers, secret: config.secret };
  }
  const file = await readClusterFile(defaultDataDir);
  const trackers = config.trackers ?? file?.trackers;
  const secret = config.secret ?? file?.secret;
  if (trackers === undefined) {
    throw new DsmError("UNREACHABLE", "no cluster is named and none runs from this folder", {
      remedy: "start one here with dsm up, or name its trackers with --tracker or DSM_TRACKERS",
    });
  }
  if (secret === undefined) {
    throw new DsmError("UNAUTHENTICATED", "no cluster secret is given", {
      remedy: "name the file with the cluster's secret with --secret-file or DSM_SECRET_FILE",
    });
  }
  return { trackers, secret };
}

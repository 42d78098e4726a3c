import { type Config, loadConfig } from "@dsm/config";
import { type ClusterSecret, clusterSecret, DsmError, type TrackerStatus } from "@dsm/protocol";
import { type ClusterArgs, findCluster } from "../find-cluster.ts";

/** What a tracker said, or why it said nothing. */
export interface TrackerView {
  readonly endpoint: string;
  readonly status?: TrackerStatus;
  readonly fault?: DsmError;
  /** The way there and back. */
  readonly roundTripMs?: number;
  /** How far its clock is ahead of this one, and how much of that the way may account for. */
  readonly clock?: { readonly aheadMs: number; readonly uncertainMs: number };
}

/** What there is to examine from here. */
export interface Subject {
  readonly secret: ClusterSecret;
  readonly trackers: readonly TrackerView[];
  readonly idServers: readonly string[];
  readonly catalogUrl: string | undefined;
  readonly gateways: readonly string[];
  /** Files as players get them. */
  readonly media: readonly string[];
  /** The storage that is configured on this host, or why none is known. */
  readonly storage: Config<"storage"> | string;
}

export interface DoctorArgs extends ClusterArgs {
  readonly catalog?: string | undefined;
  readonly "id-servers"?: string | undefined;
  readonly gateway?: string | undefined;
  readonly media?: string | undefined;
}

/** What flags, variables and the config file name; nothing is asked yet. */
export interface Named extends Omit<Subject, "trackers"> {
  readonly endpoints: readonly string[];
}

/** @throws DsmError as findCluster, and BAD_CONFIG or USAGE for values that are wrong */
export async function namedSubject(args: DoctorArgs): Promise<Named> {
  const { trackers, secret } = await findCluster(args);
  const { idServers, catalog } = await loadConfig("client", {
    flags: { catalog: args.catalog, idServers: args["id-servers"] },
    env: process.env,
    configPath: args.config,
  });
  return {
    secret: clusterSecret(secret),
    endpoints: trackers,
    idServers: idServers ?? [],
    catalogUrl: catalog,
    gateways: listOf(args.gateway),
    media: listOf(args.media),
    storage: await storageHere(args.config),
  };
}

function listOf(flag: string | undefined): string[] {
  return (flag ?? "").split(",").filter((url) => url !== "");
}

async function storageHere(configPath: string | undefined): Promise<Subject["storage"]> {
  try {
    return await loadConfig("storage", { env: process.env, configPath });
  } catch (thrown) {
    if (!(thrown instanceof DsmError)) throw thrown;
    return thrown.message;
  }
}

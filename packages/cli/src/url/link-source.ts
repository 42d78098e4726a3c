import { loadConfig } from "@dsm/config";
import { DsmError, type LinkKey, readLinkKey } from "@dsm/protocol";
import { type ClusterFile, readClusterFile } from "../cluster-file.ts";
import { defaultDataDir } from "../find-cluster.ts";
import { readLinkKeyFile } from "./link-key-file.ts";

export interface SourceFlags {
  readonly gateway?: string | undefined;
  readonly "key-file"?: string | undefined;
  readonly config?: string | undefined;
}

/** Who signs a link, and what its URL begins with. */
export interface LinkSource {
  /** Without a slash at the end. */
  readonly gateway: string;
  /** None where the gateway has to be asked. */
  readonly keys: readonly LinkKey[];
  readonly writeKey: string | undefined;
}

/**
 * Flags, then variables, then the config file, then what `dsm up` wrote in this folder.
 * @throws DsmError BAD_CONFIG, USAGE, or UNREACHABLE when nothing names a gateway
 */
export async function findLinkSource(flags: SourceFlags): Promise<LinkSource> {
  const config = await loadConfig("client", { env: process.env, configPath: flags.config });
  const named = flags.gateway === undefined ? config.publicUrl : httpUrl(flags.gateway);
  const file = named === undefined ? await readClusterFile(defaultDataDir) : undefined;
  const gateway = named ?? file?.http;
  if (gateway === undefined) {
    throw new DsmError("UNREACHABLE", "no gateway is named and none runs from this folder", {
      remedy: "start one here with dsm up, or name it with --gateway or DSM_PUBLIC_URL",
    });
  }
  const keyFile = flags["key-file"];
  const keys =
    keyFile === undefined
      ? (config.linkKeys ?? keysOf(file))
      : await readLinkKeyFile(keyFile, "--key-file");
  return { gateway: gateway.replace(/\/+$/, ""), keys, writeKey: config.writeKey };
}

/** Those that cannot be read are none: then the gateway is asked. */
function keysOf(file: ClusterFile | undefined): readonly LinkKey[] {
  return (file?.linkKeys ?? []).flatMap((written) => {
    const reading = readLinkKey(written);
    return "value" in reading ? [reading.value] : [];
  });
}

function httpUrl(written: string): string {
  const url = URL.parse(written);
  const isPlain = url !== null && url.search === "" && url.hash === "" && url.username === "";
  if (isPlain && /^https?:$/.test(url.protocol)) return url.href;
  throw new DsmError("USAGE", `--gateway: ${JSON.stringify(written)} is no URL of a gateway`, {
    remedy: "give one as https://media.example.org",
  });
}

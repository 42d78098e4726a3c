import type { ClusterOptions } from "@dsm/cluster";
import { parseListenAddress } from "@dsm/config";
import type { ArgsDef } from "../strict.ts";
import { wholeNumber } from "../whole-number.ts";

const membersMax = 16;

export const upArgs = {
  data: { type: "string", valueHint: "DIR", description: "Where all is kept. (Default: ./.dsm)" },
  http: {
    type: "string",
    valueHint: "HOST:PORT",
    default: "127.0.0.1:8080",
    description: "Where the gateway listens; port 0 is any free one.",
  },
  trackers: { type: "string", valueHint: "N", default: "2", description: "Trackers." },
  ids: { type: "string", valueHint: "N", default: "1", description: "ID servers." },
  groups: { type: "string", valueHint: "N", default: "1", description: "Groups." },
  storages: { type: "string", valueHint: "N", default: "2", description: "Storages per group." },
  catalog: {
    type: "string",
    valueHint: "URL",
    description: "The catalog. (Default: SQLite in the data folder)",
  },
  demo: { type: "boolean", description: "Upload a sample clip and say how to play it." },
} as const satisfies ArgsDef;

type UpArgs = Readonly<
  Record<"http" | "trackers" | "ids" | "groups" | "storages", string> & {
    catalog?: string | undefined;
  }
>;

/** @throws DsmError USAGE */
export function clusterOptions(args: UpArgs): Omit<ClusterOptions, "dataDir"> {
  const count = (name: "trackers" | "ids" | "groups" | "storages") =>
    wholeNumber(`--${name}`, args[name], 1, membersMax);
  const writeKey = process.env["DSM_WRITE_KEY"] || undefined;
  return {
    http: parseListenAddress("--http", args.http),
    trackers: count("trackers"),
    ids: count("ids"),
    groups: count("groups"),
    storages: count("storages"),
    ...(args.catalog === undefined ? {} : { catalogUrl: args.catalog }),
    ...(writeKey === undefined ? {} : { writeKey }),
  };
}

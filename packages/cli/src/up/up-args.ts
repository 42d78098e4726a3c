import { resolve } from "node:path";
import type { ClusterOptions } from "@dsm/cluster";
import { type Deliveries, parseDeliveries, parseListenAddress } from "@dsm/config";
import { DsmError, isLoopback } from "@dsm/protocol";
import { upStorageArgs } from "../role/role-args.ts";
import type { ArgsDef } from "../strict.ts";
import { wholeNumber } from "../whole-number.ts";

const membersMax = 16;

const ownArgs = {
  data: { type: "string", valueHint: "DIR", description: "Where all is kept. (Default: ./.dsm)" },
  http: {
    type: "string",
    valueHint: "HOST:PORT",
    default: "127.0.0.1:8080",
    description: "Where the gateway listens; port 0 is any free one.",
  },
  "tls-cert": {
    type: "string",
    valueHint: "PATH",
    description: "The certificate with its chain, as PEM, for TLS on the gateway.",
  },
  "tls-key": { type: "string", valueHint: "PATH", description: "The key of that certificate." },
  trackers: { type: "string", valueHint: "N", default: "2", description: "Trackers." },
  ids: { type: "string", valueHint: "N", default: "1", description: "ID servers." },
  groups: { type: "string", valueHint: "N", default: "1", description: "Groups." },
  storages: { type: "string", valueHint: "N", default: "2", description: "Storages per group." },
  catalog: {
    type: "string",
    valueHint: "URL",
    description: "The catalog. (Default: SQLite in the data folder)",
  },
  delivery: {
    type: "string",
    valueHint: "MODE|GROUP=MODE,…",
    default: "auto",
    description: "How bytes reach clients: auto, local, redirect or proxy; also by group.",
  },
  reads: {
    type: "enum",
    options: ["public", "signed"],
    default: "public",
    description: "Who may read: everybody, or whoever has a signed link (dsm url).",
  },
  demo: { type: "boolean", description: "Upload a sample clip and say how to play it." },
} as const satisfies ArgsDef;

/** Its own, and those of its storages, which the table of options has. */
export const upArgs: typeof ownArgs = Object.assign({}, ownArgs, upStorageArgs());

type UpArgs = Readonly<
  Record<"delivery" | "http" | "trackers" | "ids" | "groups" | "storages", string> & {
    catalog?: string | undefined;
    "tls-cert"?: string | undefined;
    "tls-key"?: string | undefined;
    reads: "public" | "signed";
  }
>;

/** @throws DsmError USAGE */
export function clusterOptions(args: UpArgs): Omit<ClusterOptions, "dataDir"> {
  const count = (name: "trackers" | "ids" | "groups" | "storages") =>
    wholeNumber(`--${name}`, args[name], 1, membersMax);
  const http = parseListenAddress("--http", args.http);
  const delivery = parseDeliveries("--delivery", args.delivery);
  assertFollowable(http.hostname, delivery);
  const writeKey = process.env["DSM_WRITE_KEY"] || undefined;
  return {
    http,
    delivery,
    trackers: count("trackers"),
    ids: count("ids"),
    groups: count("groups"),
    storages: count("storages"),
    reads: args.reads,
    tlsCert: absolute(args["tls-cert"]),
    tlsKey: absolute(args["tls-key"]),
    ...(args.catalog === undefined ? {} : { catalogUrl: args.catalog }),
    ...(writeKey === undefined ? {} : { writeKey }),
  };
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

/** @throws DsmError USAGE where clients would be sent to what only this machine can reach */
function assertFollowable(hostname: string, { others, byGroup }: Deliveries): void {
  if (isLoopback(hostname) || ![others, ...byGroup.values()].includes("redirect")) return;
  const what = `--delivery redirect: the storages of dsm up listen on 127.0.0.1, --http on ${hostname}`;
  throw new DsmError("USAGE", what, {
    remedy: "run dsm storage with --public-url for redirects, or choose another delivery",
  });
}

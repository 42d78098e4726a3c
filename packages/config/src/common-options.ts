import { logLevels } from "@dsm/log";
import { limits } from "@dsm/protocol";
import {
  cacheControl,
  duration,
  endpoint,
  fieldName,
  list,
  oneOf,
  path,
  serversUrl,
  text,
} from "./kinds/index.ts";
import { configRoles, optional, required, shared, withDefault } from "./option.ts";

const secret = text(`at least ${limits.secretMinChars} characters`, "SECRET");
const catalogUrl = serversUrl(
  ["sqlite:", "mysql:", "mariadb:"],
  "sqlite:/var/lib/dsm/catalog.db or mysql://dsm:password@10.0.0.1:3306/dsm",
);

/** What stands before all sections of the file: the options that several roles share. */
export const commonOptions = {
  trackers: shared(
    ["storage", "gateway", "client"],
    required(
      list(endpoint, 1),
      ["10.0.0.1:7600", "10.0.0.2:7600"],
      "Every tracker. Storages report to all of them; clients ask any one and move on.",
      { flag: "--tracker" },
    ),
  ),
  idServers: shared(
    ["storage", "client"],
    required(list(endpoint, 1), ["10.0.0.1:7700"], "The ID servers, any number, all equal."),
  ),
  catalog: shared(
    ["tracker", "id", "storage", "client"],
    required(
      catalogUrl,
      "mysql://dsm:password@10.0.0.1:3306/dsm",
      "The SQL catalog. SQLite serves one machine, MySQL-protocol servers several. The nodes of a " +
        "Galera cluster stand with commas between them, in the same order everywhere: " +
        "`mysql://dsm:password@10.0.0.1:3306,10.0.0.2:3306,10.0.0.3:3306/dsm`.",
    ),
  ),
  secret: shared(
    configRoles,
    optional(
      secret,
      "put-the-output-of-openssl-rand-hex-32-here",
      "The cluster secret, the same everywhere. Set this or the secret file, not both.",
      { confidential: true },
    ),
  ),
  secretFile: shared(
    configRoles,
    optional(
      path,
      "/etc/dsm/secret",
      "A file with the cluster secret, readable by its owner alone.",
    ),
  ),
  cacheControl: shared(
    ["storage", "gateway"],
    withDefault(
      cacheControl,
      "no-cache",
      "The Cache-Control of media. `no-cache` lets caches keep them and makes them ask each " +
        "time, so that an overwrite is seen at once. Where reading needs a right, only a value " +
        "with `private` or `no-store` is used, and `private, no-cache` instead of any other.",
    ),
  ),
  vary: shared(
    ["storage", "gateway"],
    withDefault(
      list(fieldName, 0),
      [],
      "What Vary names on media, for a CDN or proxy in front that answers by these request " +
        "headers. CORS adds `Origin` by itself where it matters.",
    ),
  ),
  tlsCert: shared(
    ["storage", "gateway"],
    optional(
      path,
      "/etc/letsencrypt/live/media.example.org/fullchain.pem",
      "The certificate with its chain, as PEM, for HTTP/2 and HTTP/1.1 over TLS. It is looked " +
        "at every two seconds, so a renewed one is used at once. A storage with a public port " +
        "uses it there, and one without on its data port.",
    ),
  ),
  tlsKey: shared(
    ["storage", "gateway"],
    optional(
      path,
      "/etc/letsencrypt/live/media.example.org/privkey.pem",
      "The key of that certificate, as PEM.",
    ),
  ),
  drainDelayMs: shared(
    ["tracker", "storage", "gateway"],
    withDefault(
      duration(0, 600_000),
      5_000,
      "For so long after it is told to stop a role goes on to serve while it already says that it " +
        "is not ready, so that Keepalived, a load balancer and gateways turn to others before its " +
        "port closes; 0 where nobody looks.",
    ),
  ),
  logLevel: shared(
    configRoles,
    withDefault(oneOf(logLevels), "info", "What is logged, as JSON lines on stderr."),
  ),
} as const;

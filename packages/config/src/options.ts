import { limits } from "@dsm/protocol";
import { commonOptions } from "./common-options.ts";
import {
  addressRange,
  bool,
  deliveries,
  duration,
  int,
  linkKey,
  list,
  listenAddress,
  mount,
  name,
  oneOf,
  origin,
  path,
  size,
  text,
  url,
} from "./kinds/index.ts";
import { optional, required, shared, withDefault } from "./option.ts";

const httpUrl = url(["http:", "https:"], "http://10.0.0.5:7800");
const workersMax = 64;
const localhost = (port: number) => ({ hostname: "127.0.0.1", port });

const workers = withDefault(
  int(1, workersMax),
  1,
  "Processes that share the port; more than one uses more than one core.",
);

/**
 * The one table of options. Flags, variables, TOML keys, `dsm config`, docs/CONFIG.md and the
 * type of a loaded configuration come from it. Durations are ms here and sizes are bytes; the
 * written form carries its unit, so the unit is left out of the written name.
 */
export const options = {
  common: commonOptions,
  tracker: {
    listen: withDefault(listenAddress, localhost(7600), "Where the tracker listens."),
    heartbeatIntervalMs: withDefault(
      duration(10, 600_000),
      1_000,
      "How often storages are told to report.",
    ),
    // With 1, every storage would be offline for a moment before each beat.
    missedBeats: withDefault(
      int(2, 1_000),
      3,
      "A storage is offline after this many intervals without a report.",
    ),
    capabilityTtlMs: withDefault(
      duration(1_000, 86_400_000),
      60_000,
      "How long the right to read or write, which a tracker signs, is good.",
    ),
  },
  id: {
    listen: withDefault(listenAddress, localhost(7700), "Where the ID server listens."),
    segmentIds: withDefault(
      int(1, 2 ** 32),
      65_536,
      "Ids taken from the catalog at a time; a restart gives up the rest of a segment.",
    ),
  },
  storage: {
    id: required(name, "s1", "The name of this storage, unique in the cluster."),
    group: required(name, "g1", "The group it belongs to. Members of a group share all files."),
    root: required(path, "/mnt/g1", "The folder where the file system of the group is mounted."),
    listen: withDefault(listenAddress, localhost(7800), "Where the data port listens."),
    dataUrl: optional(
      httpUrl,
      "http://10.0.0.5:7800",
      "Where trackers, gateways and clients inside the cluster reach the data port.",
      { fallbackDoc: "`http://` and the address it listens on" },
    ),
    publicUrl: optional(
      httpUrl,
      "https://s1.example.org",
      "Where the public reaches the data port, for redirects.",
      { fallbackDoc: "`http://` and the public address that it listens on, else the data URL" },
    ),
    publicListen: optional(
      listenAddress,
      { hostname: "0.0.0.0", port: 7801 },
      "A port of its own for the public, on which nothing can be changed, so that the data port " +
        "may stay in a private network.",
      { fallbackDoc: "the public uses the data port" },
    ),
    leaseIds: withDefault(
      int(1, limits.leaseMaxIds),
      1_024,
      "Ids taken from an ID server at a time; 1024 fill one directory.",
    ),
    reserveBytes: withDefault(
      size(0),
      2 ** 30,
      "The storage takes no new files when less than this is free.",
    ),
    sync: withDefault(
      oneOf(["auto", "syncfs", "files", "none"]),
      "auto",
      "How uploads become durable before they are acknowledged: `syncfs` syncs the whole file " +
        "system once for all that come together, `files` each file by itself, `auto` the first " +
        "on local ext4, XFS and btrfs and the second elsewhere. With `none` acknowledged files " +
        "do NOT survive a power cut.",
    ),
    commitGroupMax: withDefault(
      int(1, limits.commitBatchMax),
      limits.commitBatchMax,
      "The most uploads and deletes that share one sync and one catalog statement; 1 turns group " +
        "commit off.",
    ),
    trashGraceMs: withDefault(
      duration(0),
      86_400_000,
      "How long the bytes of a deleted or replaced file are kept.",
    ),
    reapIntervalMs: withDefault(
      duration(10, 86_400_000),
      60_000,
      "How often the trash is looked through, and expired files are deleted.",
    ),
    reapPerSecond: withDefault(
      int(1, 100_000),
      limits.reapPerSecond,
      "How many blobs of the trash a group unlinks in a second at most. A busy storage keeps to a " +
        "tenth of it unless its space runs short.",
    ),
    scrubBytesPerSecond: withDefault(
      size(0, 2 ** 40),
      20 * 1024 * 1024,
      "How fast all that the group has is read in the background, each second, to find bytes that " +
        "went bad; 0 for never but by `dsm scrub --now`. A busy storage reads at a tenth of it.",
    ),
    scrubIntervalMs: withDefault(
      duration(1_000),
      30 * 86_400_000,
      "How long after the end of a scrub the next one begins, by another member of the group.",
    ),
    moveBytesPerSecond: withDefault(
      size(0, 2 ** 40),
      32 * 1024 * 1024,
      "How fast files of users who were moved to its group are fetched from where they lie, each " +
        "second; 0 leaves them there. A busy storage fetches a tenth of it.",
    ),
    metricsKey: optional(
      text("a key without control characters", "KEY"),
      "put-the-output-of-openssl-rand-hex-32-here",
      "The key for `/metrics` of the data port, sent as `Authorization: Bearer KEY`.",
      { confidential: true, fallbackDoc: "only this machine may read them" },
    ),
    workers,
  },
  gateway: {
    http: withDefault(listenAddress, localhost(8080), "Where the public HTTP port listens."),
    http3: withDefault(
      bool,
      false,
      "HTTP/3 as well, over UDP on the same port; experimental, and needs TLS. What it cannot " +
        "send with its exact length, as proxied files, is sent back to HTTP/2.",
    ),
    delivery: withDefault(
      deliveries,
      { others: "auto", byGroup: new Map() },
      "How bytes reach the public, one way for all groups or `GROUP=MODE` for some: `local` from " +
        "a mounted group file system, `redirect` by sending clients to a storage's public URL, " +
        "`proxy` through a storage, `auto` local where a mount is named and proxy elsewhere.",
    ),
    redirectTtlMs: withDefault(
      duration(1_000, 7 * 86_400_000),
      3_600_000,
      "How long a URL that a client was redirected to is good. VLC and browsers keep it for all " +
        "their seeks, so choose more than the longest sitting.",
    ),
    mounts: withDefault(
      list(mount, 0),
      [],
      "Group file systems mounted on the gateway's machine, each `GROUP=FOLDER`.",
    ),
    corsOrigins: withDefault(
      list(origin, 0),
      ["*"],
      "Origins whose pages may use the gateway: those named may read, write and use the API, and " +
        "with `*` all others may read media.",
    ),
    hedgeAfterMs: withDefault(
      duration(1, 600_000),
      limits.hedgeAfterMs,
      "With no byte of a proxied read after this long, a second storage is asked as well, and the " +
        "slower one is given up.",
    ),
    upstreamStallMs: withDefault(
      duration(100, 600_000),
      limits.upstreamStallMs,
      "A storage that sends no byte of a proxied read for this long is given up, and another one " +
        "goes on at the same offset.",
    ),
    freshnessMs: withDefault(
      duration(0, 60_000),
      1_000,
      "How soon a delete or an overwrite through another gateway is seen by this one; 0 asks a " +
        "tracker for each read.",
    ),
    outageGraceMs: withDefault(
      duration(0),
      600_000,
      "While the catalog is down, files that were read within so long before go on being served.",
    ),
    hotCacheBytes: withDefault(
      size(0),
      64 * 1024 * 1024,
      "Memory for small files that are read often, in each worker; 0 for none.",
    ),
    hotFileMaxBytes: withDefault(
      size(0, 16 * 1024 * 1024),
      256 * 1024,
      "The largest file that is kept in that memory.",
    ),
    writeKey: shared(
      ["gateway", "client"],
      optional(
        text("a key without control characters", "KEY"),
        "put-the-output-of-openssl-rand-hex-32-here",
        "The key for uploads, deletes and lists. Needed where the HTTP port is open to more than " +
          "this machine.",
        { confidential: true },
      ),
    ),
    reads: withDefault(
      oneOf(["public", "signed"]),
      "public",
      "Who may read: `public` is everybody, `signed` whoever has a signed link or the write key.",
    ),
    linkKeys: shared(
      ["gateway", "client"],
      optional(
        list(linkKey, 1),
        [{ id: "2026-11", secret: "put-the-output-of-openssl-rand-hex-32-here" }],
        "Keys for signed links. The first signs and all are good: put a new one first to rotate, " +
          "and take one away to revoke every link that it signed.",
        { confidential: true },
      ),
    ),
    trustedProxies: withDefault(
      list(addressRange, 0),
      [],
      "Proxies in front whose X-Forwarded-For, -Proto and -Host and Forwarded are believed; for " +
        "links that are bound to a client's address, and for the URLs of new links.",
    ),
    publicUrl: shared(
      ["gateway", "client"],
      optional(
        httpUrl,
        "https://media.example.org",
        "Where the public reaches the gateway; the URLs of new links begin with it.",
        { fallbackDoc: "what the request for a link was sent to" },
      ),
    ),
    workers,
  },
} as const;

import { checkCatalog } from "./catalog.ts";
import type { Seen } from "./finding.ts";
import { checkGateways } from "./gateways.ts";
import { checkGroups } from "./groups.ts";
import { checkGlusterFs } from "./gluster/glusterfs.ts";
import { checkHost } from "./host.ts";
import { checkIdServers } from "./id-servers.ts";
import { checkKeepalived } from "./keepalived.ts";
import { checkMedia } from "./media-urls.ts";
import { checkStorages } from "./storages.ts";
import type { Subject } from "./subject.ts";
import { checkTrackers } from "./trackers.ts";

interface CheckRow {
  /** Stands in `--json`; never used again for another check. */
  readonly id: string;
  readonly title: string;
  /** In Markdown, what it has to be given beyond the trackers and the secret. */
  readonly needs?: string;
  /** Each kind of error and warning, the errors first, in Markdown. */
  readonly finds: readonly string[];
  readonly run: (subject: Subject, signal: AbortSignal) => Promise<Seen[]>;
}

/** The one table of checks; docs/DOCTOR.md comes from it. */
export const checks = [
  {
    id: "trackers",
    title: "trackers",
    finds: [
      "one that cannot be reached, or has another secret",
      "a storage that it does not see and another tracker does",
      "a clock that is off by more than a second",
      "another version of dsm",
    ],
    run: checkTrackers,
  },
  {
    id: "id-servers",
    title: "ID servers",
    needs: "`--id-servers` or `id_servers`",
    finds: ["one that cannot be reached, or has another secret", "a clock that is off"],
    run: checkIdServers,
  },
  {
    id: "storages",
    title: "storages",
    finds: [
      "none at all, one that is offline, or whose writes fail, or that is full",
      "an address that others cannot use, or that does not answer from here",
      "little room, draining, held-up moves of users",
      "a public URL that does not answer from here",
      "a clock that is off, another version of dsm",
    ],
    run: checkStorages,
  },
  {
    id: "groups",
    title: "group file systems",
    finds: [
      "members that do not see what the others write: they have different file systems",
      "a root that is not mounted",
      "no inodes left, as that storage sees it",
      "`sync` is `none`: acknowledged files do not survive a power cut",
    ],
    run: checkGroups,
  },
  {
    id: "catalog",
    title: "catalog",
    needs: "`--catalog` or `catalog`; each address of it",
    finds: [
      "no answer, tables that are missing, a node of Galera without a quorum",
      "several addresses that are no Galera cluster",
      "settings that cannot work: `binlog_format`, `max_allowed_packet`",
      "settings that lose commits: `innodb_flush_log_at_trx_commit`, `sync_binlog`",
      "too few connections for the processes of dsm: `max_connections`",
      "a Galera cluster with fewer nodes than the URL names or a majority needs, a node that is not in step",
    ],
    run: checkCatalog,
  },
  {
    id: "gateways",
    title: "gateways",
    needs: "`--gateway`, also with the virtual address",
    finds: ["one that cannot be reached, or is not ready", "a clock that is off"],
    run: checkGateways,
  },
  {
    id: "media",
    title: "media URLs",
    needs: "`--media`, URLs as `dsm url` prints them",
    finds: [
      "a file that cannot be read from here",
      "a Range that gets the whole file, or a piece that is not said to be one",
      "an answer without a strong ETag",
    ],
    run: checkMedia,
  },
  {
    id: "host",
    title: "this host",
    needs: "for the root: a storage in the `--config` file",
    finds: [
      "a root that cannot be looked at, or has less room than the reserve",
      "a small limit of open files",
      "a clock that nobody sets",
      "no inodes left, `sync` is `none`",
    ],
    run: checkHost,
  },
  {
    id: "glusterfs",
    title: "GlusterFS on this host",
    needs: "a storage in the `--config` file whose root is on a volume; `gluster`, as root",
    finds: [
      "so few bricks that nothing can be written, entries in split-brain",
      "a brick that is not connected",
      "entries that wait to be healed",
      "options that differ from those of `deploy/glusterfs/volume-options`, each with its reason",
    ],
    run: checkGlusterFs,
  },
  {
    id: "keepalived",
    title: "Keepalived on this host",
    needs: "`/etc/keepalived/keepalived.conf`",
    finds: ["it does not run", "it has no virtual address, or asks nothing of dsm"],
    run: () => checkKeepalived(),
  },
] as const satisfies readonly CheckRow[];

/** What a check saw, with its name. */
export interface Finding extends Seen {
  readonly check: (typeof checks)[number]["id"];
}

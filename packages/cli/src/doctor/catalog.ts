import { type CatalogServer, examineCatalog } from "@dsm/catalog";
import { DsmError, limits } from "@dsm/protocol";
import { error, ok, type Seen, skipped, warning } from "./finding.ts";
import type { Subject } from "./subject.ts";

export async function checkCatalog(subject: Subject): Promise<Seen[]> {
  const { catalogUrl } = subject;
  if (catalogUrl === undefined) {
    const how = "name it with --catalog, DSM_CATALOG or catalog in the --config file";
    return [skipped("catalog", "its URL is not known here", how)];
  }
  try {
    const servers = await examineCatalog(catalogUrl);
    const terms = { processes: processesOf(subject), named: servers.length };
    return servers.flatMap((server) => seenOf(server, terms));
  } catch (thrown) {
    const { message, remedy } = DsmError.from(thrown, "opening the catalog");
    return [error("catalog", message, remedy ?? "look at the log of the SQL server")];
  }
}

/** Those that open the catalog: trackers, ID servers and storages. */
function processesOf({ trackers, idServers }: Subject): number {
  const views = trackers.map(({ status }) => status?.groups.flatMap((it) => it.members) ?? []);
  const storages = Math.max(0, ...views.map((members) => members.length));
  return trackers.length + Math.max(1, idServers.length) + storages;
}

interface Terms {
  /** Of dsm, which have connections to each server. */
  readonly processes: number;
  /** Servers in the URL. */
  readonly named: number;
}

function seenOf({ shown, fault, settings }: CatalogServer, terms: Terms): Seen[] {
  const object = `catalog ${shown}`;
  if (fault !== undefined) {
    return [error(object, fault.message, fault.remedy ?? "look at the log of the SQL server")];
  }
  // SQLite has no settings that somebody else could have set.
  if (settings === undefined) return [ok(object, "reachable and migrated")];
  const notes = [
    ...durability(object, settings),
    ...sizes(object, settings, terms),
    ...galera(object, settings, terms),
  ];
  return notes.length > 0 ? notes : [ok(object, "reachable, migrated, durable")];
}

type Settings = ReadonlyMap<string, string>;

const setIn = "in the server's configuration file";

function durability(object: string, settings: Settings): Seen[] {
  const found: Seen[] = [];
  const isGalera = settings.get("wsrep_on") === "ON";
  const flush = settings.get("innodb_flush_log_at_trx_commit");
  if (flush !== undefined && flush !== "1") {
    const what = `innodb_flush_log_at_trx_commit is ${flush}: what was acknowledged may be lost when its host loses power`;
    const how = `set it to 1 ${setIn}`;
    found.push(warning(object, what, how));
  }
  const logs = settings.get("log_bin") === "ON" && !isGalera;
  if (logs && settings.get("sync_binlog") !== "1") {
    const what = `sync_binlog is ${settings.get("sync_binlog")}: after a power cut its replicas may differ from it`;
    found.push(warning(object, what, `set it to 1 ${setIn}`));
  }
  if (logs && settings.get("binlog_format") === "STATEMENT") {
    const what = "binlog_format is STATEMENT, with which READ COMMITTED cannot write";
    found.push(error(object, what, `set it to ROW or MIXED ${setIn}`));
  }
  return found;
}

/** Rows of a batch of commits, and of a restore, go in one packet. */
const packetMinBytes = 4 * 1024 * 1024;

function sizes(object: string, settings: Settings, { processes }: Terms): Seen[] {
  const found: Seen[] = [];
  const packetBytes = Number(settings.get("max_allowed_packet") ?? packetMinBytes);
  if (packetBytes < packetMinBytes) {
    const what = `max_allowed_packet is ${packetBytes}, too small for many commits at once`;
    found.push(error(object, what, `set it to 16M or more ${setIn}`));
  }
  const max = Number(settings.get("max_connections") ?? Infinity);
  const needed = processes * limits.catalogConnectionsMax;
  if (max < needed) {
    const what = `max_connections is ${max}, and ${processes} processes of dsm may take ${needed}`;
    found.push(warning(object, what, `set it to ${2 * needed} or more ${setIn}`));
  }
  return found;
}

function galera(object: string, settings: Settings, { named }: Terms): Seen[] {
  if (settings.get("wsrep_on") !== "ON") {
    if (named === 1) return [];
    const what =
      "it is one of several in the URL, and no node of a Galera cluster (wsrep_on is not ON)";
    const how = "name servers that keep one database, as deploy/galera sets them up, or only one";
    return [error(object, what, how)];
  }
  const status = settings.get("wsrep_cluster_status");
  const state = settings.get("wsrep_local_state_comment");
  const size = Number(settings.get("wsrep_cluster_size"));
  if (status !== "Primary") {
    const how =
      "bring the other nodes back; if they are lost for good, see Galera in docs/OPERATIONS.md";
    return [error(object, `Galera: it has no quorum (${status})`, how)];
  }
  if (state !== "Synced") {
    return [warning(object, `Galera: it is ${state}, not Synced`, "wait until it has caught up")];
  }
  if (size < named) {
    const what = `Galera: its cluster has ${size} nodes, and the URL names ${named}`;
    const how = "start those that are missing; see wsrep_cluster_address of each";
    return [warning(object, what, how)];
  }
  if (size >= 3) return [];
  const what = `Galera: the cluster has ${size} nodes, so it survives the loss of none`;
  return [warning(object, what, "bring it to three nodes, or two and an arbitrator (garbd)")];
}

import { openCatalog } from "@dsm/catalog";
import { createLog } from "@dsm/log";
import { clusterSecret } from "@dsm/protocol";
import { startStorage, type StorageOptions } from "@dsm/storage";

/** What a test decides of a storage in a process of its own. */
export interface VictimOptions extends Pick<
  StorageOptions,
  | "id"
  | "group"
  | "root"
  | "trackers"
  | "idServers"
  | "trashGraceMs"
  | "reapIntervalMs"
  | "doubtSettleMs"
  | "orphanAgeMs"
  | "orphanLookMs"
  | "journalPartMaxBytes"
  | "movePollMs"
> {
  readonly secret: string;
  readonly catalogUrl: string;
}

/** A real storage with times that no operator could choose; `dsm storage` has no flags for them. */
const { secret, catalogUrl, ...options } = JSON.parse(process.argv[2] ?? "") as VictimOptions;
const catalog = await openCatalog(catalogUrl);
const storage = await startStorage({
  ...options,
  hostname: "127.0.0.1",
  port: 0,
  secret: clusterSecret(secret),
  catalog,
  leaseIds: 16,
  reserveBytes: 0,
  log: createLog("warn"),
});
console.log(`ready ${storage.dataUrl}`);

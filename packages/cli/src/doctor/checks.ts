import { checkCatalog } from "./catalog.ts";
import type { Seen } from "./finding.ts";
import { checkGateways } from "./gateways.ts";
import { checkHost } from "./host.ts";
import { checkIdServers } from "./id-servers.ts";
import { checkKeepalived } from "./keepalived.ts";
import { checkStorages } from "./storages.ts";
import type { Subject } from "./subject.ts";
import { checkTrackers } from "./trackers.ts";

interface CheckRow {
  /** Stands in `--json`; never used again for another check. */
  readonly id: string;
  readonly title: string;
  /** What it has to be given, beyond the trackers and the secret. */
  readonly needs?: string;
  readonly run: (subject: Subject, signal: AbortSignal) => Promise<Seen[]>;
}

/** The one table of checks. */
export const checks = [
  { id: "trackers", title: "trackers", run: checkTrackers },
  { id: "id-servers", title: "ID servers", needs: "--id-servers", run: checkIdServers },
  { id: "storages", title: "storages", run: checkStorages },
  { id: "catalog", title: "catalog", needs: "--catalog", run: checkCatalog },
  { id: "gateways", title: "gateways", needs: "--gateway", run: checkGateways },
  { id: "host", title: "this host", run: checkHost },
  { id: "keepalived", title: "Keepalived on this host", run: checkKeepalived },
] as const satisfies readonly CheckRow[];

/** What a check saw, with its name. */
export interface Finding extends Seen {
  readonly check: (typeof checks)[number]["id"];
}

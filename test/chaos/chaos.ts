import { openCatalog } from "@dsm/catalog";
import type { DsmClient } from "@dsm/client";
import type { Setting } from "./catalog-server.ts";
import { ChaosCluster, freshnessMs, groups } from "./cluster.ts";
import type { Door } from "./door.ts";
import { CatalogTrouble, causeFaults } from "./faults.ts";
import { Figures } from "./figures.ts";
import { checkAtTheEnd } from "./final-check.ts";
import { HttpDoor } from "./http-door.ts";
import { checkLogs } from "./log-check.ts";
import type { MediaKey } from "./file-history.ts";
import { Ledger } from "./ledger.ts";
import { Random } from "./random.ts";
import { SdkDoor } from "./sdk-door.ts";
import { Workload } from "./workload.ts";

export interface ChaosOptions {
  readonly seed: number;
  readonly setting: Setting;
  /** How long clients and faults go on; start, healing and the last checks come on top. */
  readonly durationMs: number;
  /** Ends the run early; what is done by then is checked all the same. */
  readonly signal: AbortSignal;
}

export interface ChaosResult {
  readonly figures: Figures;
  readonly seconds: number;
}

const usersPerGroup = 2;
const filesPerUser = 6;
const clientsPerDoor = 3;
const quotaBytes = 2 * 1024 * 1024;
/** Operations that began longer ago than this are followed; see Ledger. */
const windowMs = 2_000;
const followEveryMs = 500;

/** One run: clients and faults at the same time, then healing, then everything is checked. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, setting, durationMs } = options;
  const random = new Random(seed);
  const figures = new Figures();
  const startMs = performance.now();
  const now = () => performance.now() - startMs;
  await using cluster = await ChaosCluster.start(setting, (role, code) => {
    const what = `${role.name} ended by itself with ${code}:\n${role.log.slice(-4_000)}`;
    figures.violations.push({ kind: "process", what });
  });
  const ledger = new Ledger(figures, windowMs, now);
  const keys = await makeKeys(cluster, random.split("groups"));
  const trouble = new CatalogTrouble();
  const ending = new AbortController();
  const stop = AbortSignal.any([options.signal, AbortSignal.timeout(durationMs), ending.signal]);
  const watch = setInterval(() => {
    ledger.follow();
    // What comes after a violation says little.
    if (figures.violations.length > 0) ending.abort();
  }, followEveryMs);
  try {
    const users = [...new Set(keys.map(({ user }) => user))];
    const terms = { random: random.split("faults"), trouble, signal: stop, users };
    const faults = { cluster, figures, ...terms };
    await using doors = new Doors(cluster);
    let contents = 0;
    const clients = doors.all.map(({ door, gateway }, n) => {
      const name = `client ${n}`;
      const nextContentSeed = () => random.split(`content ${contents++}`).next();
      const own = random.split(name);
      const ports = { ledger, figures, trouble, keys, random: own, nextContentSeed, gateway };
      return new Workload(name, door, ports).run(stop);
    });
    await Promise.all([causeFaults(faults), ...clients]);
  } finally {
    clearInterval(watch);
  }
  if (figures.violations.length === 0) await checkAtTheEnd({ cluster, ledger, figures, keys });
  checkLogs(cluster.roles, figures);
  return { figures, seconds: now() / 1_000 };
}

/** Every client has a door of its own: three by the SDK and three through each gateway. */
class Doors implements AsyncDisposable {
  readonly all: Array<{ door: Door; gateway: string }> = [];
  readonly #clients: DsmClient[] = [];

  constructor(cluster: ChaosCluster) {
    for (let n = 0; n < clientsPerDoor; n++) {
      for (const { name, endpoint } of cluster.gateways) {
        const isProxy = name.includes("proxy");
        const door = new HttpDoor({
          name,
          origin: `http://${endpoint}`,
          staleMs: isProxy ? 0 : freshnessMs,
          mayAnswerInOutage: isProxy,
          userAgent: `chaos ${n}`,
        });
        this.all.push({ door, gateway: endpoint });
      }
      const client = cluster.newClient();
      this.#clients.push(client);
      this.all.push({ door: new SdkDoor(client), gateway: cluster.gateways[0]!.endpoint });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.close();
  }
}

/**
 * A few files each of a few users in each group: few enough that clients meet. The last user of
 * each group has a quota, which some uploads would pass.
 */
async function makeKeys(cluster: ChaosCluster, random: Random): Promise<MediaKey[]> {
  await using client = cluster.newClient();
  await using catalog = await openCatalog(cluster.catalog.url);
  const keys: MediaKey[] = [];
  for (const group of groups) {
    for (let n = 0; n < usersPerGroup; n++) {
      const user = `${group}-user-${n}`;
      await client.assign(user, group);
      if (n === usersPerGroup - 1) await catalog.setQuota(user, quotaBytes, Date.now());
      for (let f = 0; f < filesPerUser; f++) keys.push({ user, fileId: `file ${f}/ä.bin` });
    }
  }
  // Those at the front are the ones that everybody wants.
  return keys
    .map((key) => ({ key, order: random.next() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ key }) => key);
}

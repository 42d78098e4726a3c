import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Host } from "../hosts/host.ts";
import { freePort, mariaDbMissing, program, startJanitor } from "../mariadb.ts";
import { mariaDbPassword, mariaDbUser } from "../mariadb-files.ts";
import { until } from "../until.ts";
import {
  copyData,
  type GaleraPorts,
  giveToMySql,
  layData,
  letThrough,
  type NodeTerms,
  writeConfig,
} from "./galera-files.ts";
import { GaleraNode } from "./galera-node.ts";

/** Where the nodes run: on loopback, or each on a host. */
export type GaleraPlace = { readonly hosts?: readonly Host[] };

const provider = "/usr/lib/galera/libgalera_smm.so";
const standardPorts: GaleraPorts = { sql: 3306, group: 4567, ist: 4568, sst: 4444 };
const nodesOnLoopback = 3;
/** Nodes that were all killed, on a machine that is busy. */
const settledTimeoutMs = 40_000;

/** Why no Galera cluster can be started here; undefined when one can. */
export function galeraMissing(): string | undefined {
  const missing = mariaDbMissing();
  if (missing !== undefined) return missing;
  if (!existsSync(provider)) return "Galera is not installed (apt install galera-4)";
  return Bun.which("rsync") === null ? "not installed: rsync" : undefined;
}

/** A Galera cluster with the configuration that deploy/galera has for operators. */
export class Galera implements AsyncDisposable {
  readonly nodes: readonly GaleraNode[];
  readonly #folder: string;
  readonly #janitor: Bun.Subprocess;
  #databases = 0;

  /** Use startGalera. */
  constructor(nodes: readonly GaleraNode[], folder: string, janitor: Bun.Subprocess) {
    this.nodes = nodes;
    this.#folder = folder;
    this.#janitor = janitor;
  }

  node(n: number): GaleraNode {
    const node = this.nodes[n];
    if (node === undefined) throw new RangeError(`there is no node ${n}`);
    return node;
  }

  /** Makes a fresh, empty database that all running nodes have. @returns its name */
  async createDatabase(): Promise<string> {
    const database = `dsm_test_${++this.#databases}`;
    const running = this.nodes.filter((node) => node.isRunning);
    await running[0]?.query(`CREATE DATABASE ${database}`);
    for (const node of running) {
      await until("every node has the database", async () => {
        const found = await node.query(`SHOW DATABASES LIKE '${database}'`);
        return found.length === 1;
      });
    }
    return database;
  }

  /** A catalog URL; of all nodes, the first one first, unless others are given. */
  url(database: string, nodes: readonly GaleraNode[] = this.nodes): string {
    const password = encodeURIComponent(mariaDbPassword);
    const addresses = nodes.map((node) => node.endpoint).join(",");
    return `mysql://${mariaDbUser}:${password}@${addresses}/${database}`;
  }

  /** Resolves when all nodes that run take part, and know of one another. */
  async settled(): Promise<void> {
    const running = this.nodes.filter((node) => node.isRunning);
    await until(
      "all nodes take part",
      async () => {
        const parts = await Promise.all(running.map((node) => node.takesPart(running.length)));
        return parts.every(Boolean);
      },
      settledTimeoutMs,
    );
  }

  /** After all were down: from the one that has the most, as docs/OPERATIONS.md says. */
  async bootstrap(): Promise<GaleraNode> {
    const positions = await Promise.all(this.nodes.map((node) => node.position()));
    const numbers = positions.map((position) => Number(position?.split(":")[1] ?? -1));
    const first = this.node(numbers.indexOf(Math.max(...numbers)));
    await first.start({ bootstrap: true });
    await first.ready();
    const others = this.nodes.filter((node) => node !== first);
    await Promise.all(others.map((node) => node.start()));
    await this.settled();
    return first;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await rm(this.#folder, { recursive: true, force: true });
    this.#janitor.kill("SIGKILL");
  }
}

type Terms = NodeTerms & { readonly host: Host | undefined };

/** Three nodes on loopback, or one on each host. Takes about ten seconds. */
export async function startGalera({ hosts }: GaleraPlace = {}): Promise<Galera> {
  const missing = galeraMissing();
  if (missing !== undefined) throw new Error(missing);
  const folder = await mkdtemp(join(tmpdir(), "dsm-galera-"));
  const janitor = startJanitor(folder);
  await letThrough(folder);
  const places = hosts ?? Array.from({ length: nodesOnLoopback }, () => undefined);
  const ports = places.map((host) => (host === undefined ? portsHere() : standardPorts));
  const address = (i: number) => places[i]?.address ?? "127.0.0.1";
  const members = ports.map(({ group }, i) => `${address(i)}:${group}`);
  const terms = places.map((host, i): Terms => {
    const name = `n${i + 1}`;
    return {
      name,
      folder: join(folder, name),
      address: address(i),
      members,
      ports: ports[i] ?? standardPorts,
      host,
    };
  });
  for (const each of terms) await writeConfig(each);
  const asMySql = await fill(terms, folder);
  const galera = new Galera(
    terms.map((each) => new GaleraNode({ ...each, asMySql })),
    folder,
    janitor,
  );
  try {
    const [first, ...others] = galera.nodes;
    await first?.start({ bootstrap: true });
    await first?.ready();
    await Promise.all(others.map((node) => node.start()));
    await galera.settled();
    return galera;
  } catch (error) {
    await galera[Symbol.asyncDispose]();
    throw error;
  }
}

/** Gives all nodes the same data, so that none has to be filled by another one. */
async function fill(terms: readonly Terms[], folder: string): Promise<string[]> {
  const [first, ...others] = terms;
  if (first === undefined) throw new RangeError("a cluster has nodes");
  await layData(first.folder, program("mariadb-install-db") ?? "");
  const asMySql = await giveToMySql(folder);
  const node = new GaleraNode({ ...first, asMySql });
  await node.run(["--wsrep-new-cluster", `--init-file=${first.folder}/accounts.sql`]);
  await node.ready();
  await node.stop();
  for (const other of others) await copyData(first.folder, other.folder);
  return giveToMySql(folder);
}

function portsHere(): GaleraPorts {
  return { sql: freePort(), group: freePort(), ist: freePort(), sst: freePort() };
}

import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type ClusterSecret, clusterSecret, limits } from "@dsm/protocol";
import { RpcPool } from "@dsm/rpc";
import { mariaDbMissing, startMariaDb, startProcess, tempDir } from "@dsm/testkit";
import { rateOf } from "./load.ts";
import { PutConnection } from "./put-connection.ts";

/** The ways to commit that are compared. */
const modes = {
  "group commit": { sync: "auto", commitGroupMax: limits.commitBatchMax },
  "not durable": { sync: "none", commitGroupMax: limits.commitBatchMax },
  "one by one": { sync: "auto", commitGroupMax: 1 },
} as const;
type Mode = keyof typeof modes;
const modeNames = Object.keys(modes) as Mode[];

const sizesBytes = [5 * 1024, 1024 * 1024];
const clientCounts = [1, 8, 32];
const rowDurationMs = 4_000;
/** Until then the engine still compiles, and a fresh database still grows its files. */
const warmUp = { sizeBytes: 5 * 1024, clients: 32, durationMs: 8_000 };
const secret = "5".repeat(64);

interface Load {
  readonly sizeBytes: number;
  readonly clients: number;
  readonly durationMs: number;
}

/** A cluster of one mode, and who sends to it. */
interface Bed extends AsyncDisposable {
  put(load: Load): Promise<number>;
}

/**
 * Uploads per second over raw keep-alive connections to the data port of one storage, with the
 * capability that a tracker gave, renewed as a client would. The modes take turns in each row, so
 * that what else the machine does meets all of them.
 */
export async function benchUpload(): Promise<void> {
  for (const catalog of ["SQLite", "MariaDB"] as const) {
    const missing = catalog === "MariaDB" ? mariaDbMissing() : undefined;
    if (missing !== undefined) {
      console.log(`upload on ${catalog} left out: ${missing}`);
      continue;
    }
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await tempDir());
    await spreadFolders(path);
    const database =
      catalog === "MariaDB" ? stack.use(await startMariaDb({ durable: true })) : undefined;
    const beds = new Map<Mode, Bed>();
    for (const mode of modeNames) {
      const url = await database?.createDatabase();
      beds.set(mode, stack.use(await openBed(join(path, mode.replaceAll(" ", "-")), mode, url)));
    }
    await benchModes(catalog, beds);
  }
}

async function benchModes(catalog: string, beds: ReadonlyMap<Mode, Bed>): Promise<void> {
  console.log(`\nuploads per second, catalog on ${catalog}`);
  const columns = [...modeNames, "of not durable", "of one by one"];
  console.log(["size    clients", ...columns].map((name) => name.padStart(15)).join(""));
  for (const bed of beds.values()) await bed.put(warmUp);
  for (const sizeBytes of sizesBytes) {
    for (const clients of clientCounts) {
      const rates: number[] = [];
      for (const bed of beds.values())
        rates.push(await bed.put({ sizeBytes, clients, durationMs: rowDurationMs }));
      const [durable = NaN, without = NaN, single = NaN] = rates;
      const figures = rates.map((rate) => rate.toFixed(0));
      const ratios = [durable / without, durable / single].map((ratio) => ratio.toFixed(2));
      const name = `${sizeBytes / 1024} KiB ${String(clients).padStart(4)}`;
      console.log([name, ...figures, ...ratios].map((text) => text.padStart(15)).join(""));
    }
  }
}

/**
 * ext4 passes over inodes that were freed in the last minutes, one by one, whenever it makes a
 * file near them: after a run of tests that costs up to half a millisecond a file. Folders below
 * one that is marked so are spread over the disk instead, each to a fresh place.
 */
async function spreadFolders(path: string): Promise<void> {
  await Bun.$`chattr +T ${path}`.quiet().nothrow();
}

async function openBed(dataDir: string, mode: Mode, catalogUrl?: string): Promise<Bed> {
  await mkdir(dataDir);
  const options = { dataDir, secret, ...modes[mode], ...(catalogUrl ? { catalogUrl } : {}) };
  await using stack = new AsyncDisposableStack();
  const script = resolve(import.meta.dir, "cluster-process.ts");
  const cluster = await startProcess({
    cmd: [process.execPath, script, JSON.stringify(options)],
    ready: /^(\{"ready".*\})$/m,
  });
  stack.use(cluster);
  const { trackers } = JSON.parse(cluster.readyMatch?.[1] ?? "") as { trackers: string[] };
  const proof: ClusterSecret = clusterSecret(secret);
  const pool = new RpcPool({ endpoints: trackers, role: "client", secret: proof });
  stack.defer(() => pool.close());
  const parts = stack.move();
  let runs = 0;
  return {
    put: (load) => putRate(pool, load, ++runs),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

async function putRate(
  trackers: RpcPool,
  { sizeBytes, clients, durationMs }: Load,
  run: number,
): Promise<number> {
  const found = await trackers.call("locate", { user: "bench", intent: "write" });
  const storage = found.storages[0];
  if (storage === undefined) throw new Error("no storage was named");
  using stack = new DisposableStack();
  const connections: PutConnection[] = [];
  for (let n = 0; n < clients; n++) {
    connections.push(stack.use(await PutConnection.open(storage.dataUrl)));
  }
  const headers =
    `Host: ${new URL(storage.dataUrl).host}\r\nContent-Type: image/jpeg\r\n` +
    `Authorization: Bearer ${found.capability}\r\nIf-None-Match: *\r\n`;
  const body = Buffer.alloc(sizeBytes, crypto.getRandomValues(new Uint8Array(4096)));
  const put = async (client: number, turn: number) =>
    connections[client]?.put(`/media/bench/${run}/${client}/${turn}`, headers, body);
  return (await rateOf(put, { clients, durationMs })).perSecond;
}

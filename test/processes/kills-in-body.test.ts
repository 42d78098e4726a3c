import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, DsmClient } from "@dsm/client";
import { startProcess, until } from "@dsm/testkit";
import { DsmProcesses, type RoleProcess } from "./dsm-processes.ts";
import { FalseStorage } from "./false-storage.ts";

setDefaultTimeout(120_000);

const MiB = 1024 * 1024;
const stack = new AsyncDisposableStack();
let cluster: DsmProcesses;
let client: DsmClient;

beforeAll(async () => {
  cluster = stack.use(await DsmProcesses.start({ delivery: "proxy" }));
  const trackers = cluster.trackers.map((tracker) => tracker.endpoint);
  client = stack.use(new DsmClient({ trackers, secret: cluster.secret }));
});
afterAll(() => stack.disposeAsync());

async function put(fileId: string, sizeBytes: number): Promise<Uint8Array> {
  const content = Buffer.alloc(sizeBytes, crypto.getRandomValues(new Uint8Array(65_521)));
  await client.upload({ user: "ann", fileId, source: bytesSource(content) });
  return content;
}

/** A reader at 2 MB/s. @returns undefined when there was no error and the bytes are those */
async function faultOfReader(fileId: string, content: Uint8Array): Promise<string | undefined> {
  const path = join(cluster.dataDir, `${fileId}.got`);
  const url = `${cluster.http}/media/ann/${fileId}`;
  const curl = ["curl", "-sS", "--fail", "--limit-rate", "2M", "-o", path, url];
  await using process = await startProcess({ cmd: curl });
  const code = await process.exited;
  await process.stop();
  if (code !== 0) return `curl ended with ${code}: ${process.stderr()}`;
  const got = Bun.SHA256.hash(await readFile(path), "hex");
  return got === Bun.SHA256.hash(content, "hex") ? undefined : "the bytes differ";
}

/** All that a process has read, files above all, by the kernel's count. */
async function readBytes({ pid }: RoleProcess): Promise<number> {
  const io = await readFile(`/proc/${pid}/io`, "utf8");
  return Number(/^rchar: (\d+)$/m.exec(io)?.[1]);
}

/** Waits until one of the storages has read a good part of a window, and gives that one. */
async function theServing(storages: readonly RoleProcess[]): Promise<RoleProcess> {
  const before = await Promise.all(storages.map(readBytes));
  return until("a storage serves", async () => {
    const now = await Promise.all(storages.map(readBytes));
    return storages.find((_, i) => now[i]! - before[i]! >= 400 * 1024);
  });
}

/** One body after the other until it is told to stop. @returns how many */
async function readOnAndOn(fileId: string, content: Uint8Array, stop: AbortSignal) {
  let bodies = 0;
  for (; !stop.aborted; bodies++) expect(await faultOfReader(fileId, content)).toBeUndefined();
  return bodies;
}

test("readers at 2 MB/s see nothing of 20 kills of the storage that serves them", async () => {
  const stop = new AbortController();
  const readers = ["film", "sequel"].map(async (fileId, n) =>
    readOnAndOn(`${fileId}${n}`, await put(`${fileId}${n}`, 32 * MiB), stop.signal),
  );
  const killed = new Set<RoleProcess>();
  for (let kills = 0; kills < 20; kills++) {
    const victim = await Promise.race([theServing(cluster.storages), ...readers]);
    if (typeof victim === "number") throw new TypeError("a reader was told to stop");
    await victim.kill();
    await victim.start();
    killed.add(victim);
  }
  stop.abort();
  const [first, second] = await Promise.all(readers);
  console.log(`20 kills; ${first} and ${second} bodies of 32 MiB without a fault`);
  expect(killed.size).toBe(2);
});

test("nor of storages that take requests and hang", async () => {
  const content = await put("series", 24 * MiB);
  const reader = faultOfReader("series", content);
  for (let hangs = 0; hangs < 4; hangs++) {
    const victim = await theServing(cluster.storages);
    process.kill(victim.pid, "SIGSTOP");
    try {
      const other = await theServing(cluster.storages.filter((it) => it !== victim));
      expect(other).not.toBe(victim);
    } finally {
      process.kill(victim.pid, "SIGCONT");
    }
  }
  expect(await reader).toBeUndefined();
});

test("nor of one that sends half and closes, and then hangs", async () => {
  const content = await put("song", 3 * MiB);
  const trackers = cluster.trackers.map((tracker) => tracker.endpoint);
  // By its name it comes first among equals.
  const shape = { storageId: "s0", trackers, secret: cluster.secret, content } as const;
  await using odd = await FalseStorage.start({ ...shape, faults: ["half", "hang"] });
  const url = `${cluster.http}/media/ann/song`;
  await until("it has done all of that twice", async () => {
    const response = await fetch(url);
    expect(Buffer.compare(await response.bytes(), content)).toBe(0);
    return odd.done.length >= 4;
  });
  expect(new Set(odd.done)).toEqual(new Set(["half", "hang"]));
});

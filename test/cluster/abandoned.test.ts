import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { bytesSource } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { silentLog } from "@dsm/log";
import { clusterSecret } from "@dsm/protocol";
import { startStorage } from "@dsm/storage";
import { tempDir, until } from "@dsm/testkit";
import { CountingRelay } from "./counting-relay.ts";

const MiB = 1024 * 1024;
const sizeBytes = 64 * MiB;
const content = Buffer.alloc(sizeBytes, crypto.getRandomValues(new Uint8Array(65_521)));

const stack = new AsyncDisposableStack();
let cluster: Cluster;
let relay: CountingRelay;

/** One storage, which trackers name by the address of the relay before it. */
beforeAll(async () => {
  const dir = stack.use(await tempDir());
  const options = { dataDir: dir.path, delivery: "proxy", storages: 0 } as const;
  cluster = stack.use(await startCluster(options));
  relay = stack.use(await CountingRelay.start());
  const storage = stack.use(
    await startStorage({
      id: "s1",
      group: "g1",
      root: cluster.groupRoot("g1"),
      hostname: "127.0.0.1",
      port: 0,
      dataUrl: relay.url,
      trackers: cluster.trackerEndpoints,
      idServers: cluster.ids.map((server) => server.endpoint),
      secret: clusterSecret(cluster.secret),
      catalog: cluster.catalog,
      leaseIds: 16,
      reserveBytes: 0,
      trashGraceMs: 1e9,
      reapIntervalMs: 1e8,
      log: silentLog,
    }),
  );
  relay.targetPort = storage.port;
  await using client = cluster.client();
  await client.upload({ user: "ann", fileId: "film", source: bytesSource(content) });
});
afterAll(() => stack.disposeAsync());

/** A client of the gateway that stops to read at some point, without a word. */
class Leaver implements Disposable {
  readonly #socket;
  readonly #gatewayPort: number;
  readonly #enoughBytes: number;
  #head = "";
  /** Of the body. */
  receivedBytes = 0;

  constructor(gatewayPort: number, start: number, enoughBytes: number) {
    this.#gatewayPort = gatewayPort;
    this.#enoughBytes = enoughBytes;
    this.#socket = connect(gatewayPort, "127.0.0.1");
    this.#socket.on("data", (data: Uint8Array) => this.#take(data));
    const head = `GET /media/ann/film HTTP/1.1\r\nHost: x\r\nRange: bytes=${start}-\r\n\r\n`;
    this.#socket.write(head);
  }

  get isPaused(): boolean {
    return this.#socket.isPaused();
  }

  /** What the gateway wrote and nobody has read: unsent at its end, unread at this one. */
  async queuedBytes(): Promise<number> {
    const own = hexPort(this.#socket.localPort ?? 0);
    const gateway = hexPort(this.#gatewayPort);
    let bytes = this.#socket.readableLength;
    for (const line of (await readFile("/proc/net/tcp", "utf8")).split("\n")) {
      const [, from, to, , queues = ""] = line.trim().split(/\s+/);
      const [unsent = "", unread = ""] = queues.split(":");
      if (from?.endsWith(own) === true && to?.endsWith(gateway) === true) {
        bytes += Number.parseInt(unread, 16);
      } else if (from?.endsWith(gateway) === true && to?.endsWith(own) === true) {
        bytes += Number.parseInt(unsent, 16);
      }
    }
    return bytes;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(chunk: Uint8Array): void {
    const data = Buffer.from(chunk);
    if (this.#head.includes("\r\n\r\n")) {
      this.receivedBytes += data.length;
    } else {
      this.#head += data.toString("latin1");
      const end = this.#head.indexOf("\r\n\r\n");
      if (end >= 0) this.receivedBytes = this.#head.length - end - 4;
    }
    if (this.receivedBytes >= this.#enoughBytes) this.#socket.pause();
  }
}

const hexPort = (port: number) => `:${port.toString(16).toUpperCase().padStart(4, "0")}`;

/** Nothing has moved for a while. */
async function untilStill(state: () => unknown): Promise<void> {
  let [last, same] = ["", 0];
  await until("nothing moves any more", async () => {
    await Bun.sleep(10);
    const now = JSON.stringify(state());
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= 10;
  });
}

// Measured is what the storage sent less what the gateway handed to the client's connection: what
// lies in the buffers of the kernel between those two is on its way to the client, and no gateway
// can take it back.
test("of what a storage sends, under 1 MiB is in vain when a client leaves", async () => {
  const figures = [];
  for (let n = 0; n < 24; n++) {
    const start = Math.floor(Math.random() * (sizeBytes - 24 * MiB));
    const enoughBytes = n % 4 === 0 ? 1 : Math.floor(Math.random() * 12 * MiB);
    const sentBefore = relay.bodyBytes;
    const leaver = new Leaver(cluster.gateway.running.port, start, enoughBytes);
    await until("it has enough", () => leaver.isPaused);
    await untilStill(() => [relay.bodyBytes, leaver.receivedBytes]);
    const handedBytes = leaver.receivedBytes + (await leaver.queuedBytes());
    leaver[Symbol.dispose]();
    await untilStill(() => relay.bodyBytes);
    figures.push(relay.bodyBytes - sentBefore - handedBytes);
  }
  const mostBytes = Math.max(...figures);
  console.log(`in vain: at most ${Math.round(mostBytes / 1024)} KiB, ${figures.length} readers`);
  expect(Math.min(...figures)).toBeGreaterThanOrEqual(0);
  expect(mostBytes).toBeLessThanOrEqual(MiB);
}, 60_000);

test("a client that leaves at full speed ends the reads at once too", async () => {
  for (let n = 0; n < 20; n++) {
    const leave = new AbortController();
    const { http } = cluster;
    const response = await fetch(`${http}/media/ann/film`, { signal: leave.signal });
    const enoughBytes = Math.floor(Math.random() * 8 * MiB);
    let got = 0;
    for await (const chunk of response.body ?? []) {
      got += chunk.length;
      if (got >= enoughBytes) break;
    }
    const atThatTimeBytes = relay.bodyBytes;
    leave.abort();
    await untilStill(() => relay.bodyBytes);
    // What was asked for by then may still come; no window is asked for after that.
    expect(relay.bodyBytes - atThatTimeBytes).toBeLessThanOrEqual(MiB);
  }
}, 60_000);

test("the gateway tells how many left and what it read in vain for them", async () => {
  const figure = async (name: string) => {
    const text = await (await fetch(`${cluster.http}/metrics`)).text();
    return Number(new RegExp(`^${name} ([0-9]+)$`, "m").exec(text)?.[1]);
  };
  const before = await figure("dsm_gateway_abandoned_total");
  const bytesBefore = await figure("dsm_gateway_abandoned_bytes_total");
  const leavers = 5;
  for (let n = 0; n < leavers; n++) {
    using leaver = new Leaver(cluster.gateway.running.port, n, 1);
    await until("it has enough", () => leaver.isPaused);
    await untilStill(() => relay.bodyBytes);
  }
  const told = async () => (await figure("dsm_gateway_abandoned_total")) - before === leavers;
  await until("all of them are counted", told);
  const bytes = (await figure("dsm_gateway_abandoned_bytes_total")) - bytesBefore;
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThanOrEqual(leavers * MiB);
}, 60_000);

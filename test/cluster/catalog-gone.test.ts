import { describe, expect, test } from "bun:test";
import { startCluster } from "@dsm/cluster";
import { mariaDbMissing, startMariaDb, tempDir, until } from "@dsm/testkit";
import { type Door, httpDoor, sdkDoor } from "./outage-doors.ts";
import { OutageClient, type Tally } from "./outage-client.ts";

const user = "ann";
const missing = mariaDbMissing();
const why = missing === undefined ? "" : ` (${missing})`;
/** The server hangs for so long, and then it is dead for so long. */
const hangMs = 8_000;
const deadMs = 4_000;
/** No operation takes longer, however long the outage is: limits.commitWaitMs and a few tries. */
const operationMaxMs = 60_000;
const growthMaxBytes = 300 * 1024 * 1024;

interface Reader {
  readonly readsOk: () => number;
  readonly slowestMs: () => number;
  readonly stopped: Promise<void>;
}

/** Reads files that everybody knows of, all the time; none of these reads may fail. */
function readKnown(http: string, known: ReadonlyMap<string, string>, signal: AbortSignal): Reader {
  let readsOk = 0;
  let slowestMs = 0;
  const loop = async () => {
    while (!signal.aborted) {
      for (const [fileId, sha256] of known) {
        const startedAtMs = performance.now();
        const response = await fetch(`${http}/media/${user}/${fileId}`);
        const read = Bun.SHA256.hash(await response.bytes(), "hex");
        expect([fileId, response.status, read]).toEqual([fileId, 200, sha256]);
        slowestMs = Math.max(slowestMs, performance.now() - startedAtMs);
        readsOk++;
      }
      await Bun.sleep(20);
    }
  };
  return { readsOk: () => readsOk, slowestMs: () => slowestMs, stopped: loop() };
}

describe.skipIf(missing !== undefined)(
  `a catalog that hangs and then dies under load${why}`,
  () => {
    test("nothing is half-done, known files are read on, and all goes on by itself", async () => {
      await using dir = await tempDir();
      await using server = await startMariaDb();
      const catalogUrl = await server.createDatabase();
      await using cluster = await startCluster({
        dataDir: dir.path,
        catalogUrl,
        reserveBytes: 0,
        // Enough here: a server that is killed brings no statement into force late.
        doubtSettleMs: 500,
        orphanAgeMs: 0,
      });
      await using client = cluster.client();
      const doors: Door[] = Array.from({ length: 8 }, (_, n) =>
        n % 2 === 0 ? sdkDoor(client, user) : httpDoor(cluster.http, user),
      );
      const known = new Map<string, string>();
      for (let n = 0; n < 5; n++) {
        const bytes = crypto.getRandomValues(new Uint8Array(1_000 + n * 15_000));
        await doors[0]!.put(`known/${n}`, bytes);
        known.set(`known/${n}`, Bun.SHA256.hash(bytes, "hex"));
      }
      const stop = new AbortController();
      using _stop = { [Symbol.dispose]: () => stop.abort() };
      const reader = readKnown(cluster.http, known, stop.signal);
      const clients = doors.map((door, n) => new OutageClient(door, `c${n}`));
      const all = Promise.all([reader.stopped, ...clients.map((it) => it.run(stop.signal))]);
      /** Whoever of them sees what must not be ends the test. */
      const under = <T>(work: Promise<T>) => Promise.race([work, all.then(() => work)]);
      const done = () => clients.reduce((sum, { tally }) => sum + tally.done, 0);
      await under(until("there is load", () => done() > 200 && reader.readsOk() > 50));
      Bun.gc(true);
      const rssBefore = process.memoryUsage().rss;
      let rssMost = 0;
      const watch = setInterval(() => {
        rssMost = Math.max(rssMost, process.memoryUsage().rss);
      }, 100);

      const readsBefore = reader.readsOk();
      process.kill(server.pid!, "SIGSTOP");
      await under(Bun.sleep(hangMs));
      const readsWhileHanging = reader.readsOk() - readsBefore;
      await server.kill();
      await under(Bun.sleep(deadMs));
      const readsWhileAway = reader.readsOk() - readsBefore;
      await server.start();

      const doneAtStart = done();
      const areGoingOn = () => clients.every((it) => it.isGoingOn());
      await under(until("all clients go on", areGoingOn, 60_000));
      await under(until("there is load again", () => done() > doneAtStart + 200, 60_000));
      stop.abort();
      await all;
      clearInterval(watch);

      const tallies = clients.map(({ tally }) => tally);
      const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0);
      console.log(figures(tallies, { readsWhileHanging, readsWhileAway }), {
        slowestKnownReadMs: Math.round(reader.slowestMs()),
        grownMiB: Math.round((rssMost - rssBefore) / 1024 / 1024),
      });
      // There was an outage, and it hurt, but nobody's operation hung.
      expect(failed).toBeGreaterThan(0);
      expect(Math.max(...tallies.map(({ slowestMs }) => slowestMs))).toBeLessThan(operationMaxMs);
      expect(readsWhileHanging).toBeGreaterThan(0);
      expect(readsWhileAway).toBeGreaterThan(readsWhileHanging);
      expect(rssMost - rssBefore).toBeLessThan(growthMaxBytes);

      const kinds = new Set<string>();
      await until("fsck has mended what was left", async () => {
        const found: string[] = [];
        const request = {
          group: "g1",
          job: "fsck",
          params: { repair: true, digests: true },
        } as const;
        for await (const line of client.maintain(request)) {
          if ("finding" in line) found.push(String(line.finding["kind"]));
        }
        for (const kind of found) kinds.add(kind);
        return found.length === 0;
      });
      expect([...kinds].filter((kind) => !["orphan", "unsettled"].includes(kind))).toEqual([]);
      expect(await cluster.catalog.checkUsage({ repair: false })).toEqual([]);
      for (const { files } of clients) {
        for (const [fileId, possible] of files) {
          const [bySdk, byHttp] = await Promise.all([
            sdkDoor(client, user).read(fileId),
            httpDoor(cluster.http, user).read(fileId),
          ]);
          expect([fileId, bySdk]).toEqual([fileId, byHttp]);
          expect([fileId, possible.includes(bySdk)]).toEqual([fileId, true]);
        }
      }
      // What users have is exactly what can be listed.
      const { files } = await client.list({ user, limit: 1_000 });
      const liveBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      expect(await client.usage(user)).toMatchObject({ liveFiles: files.length, liveBytes });
    }, 180_000);
  },
);

function figures(tallies: readonly Tally[], more: Record<string, number>) {
  const sum = (of: (tally: Tally) => number) => tallies.reduce((n, tally) => n + of(tally), 0);
  const codes = new Map<string, number>();
  for (const tally of tallies) {
    for (const [code, n] of tally.codes) codes.set(code, (codes.get(code) ?? 0) + n);
  }
  const slowestMs = Math.round(Math.max(...tallies.map((tally) => tally.slowestMs)));
  return { done: sum(({ done }) => done), ...Object.fromEntries(codes), slowestMs, ...more };
}

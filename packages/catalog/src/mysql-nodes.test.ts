import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { DsmError, limits } from "@dsm/protocol";
import { type MariaDb, mariaDbMissing, startMariaDb, until } from "@dsm/testkit";
import { put } from "./conformance/backend.ts";
import { startProxy } from "./conformance/proxy.ts";
import { type Catalog, examineCatalog, migrateCatalog, openCatalog } from "./index.ts";

// The first test also installs and starts servers, on a machine that may be busy.
setDefaultTimeout(60_000);

const missing = mariaDbMissing();
const why = missing === undefined ? "" : ` (skipped: ${missing})`;

/** Two URLs of one server each as one URL of two. */
function both(one: string, two: string): string {
  const address = /@([^@/]+)\//.exec(two)?.[1];
  return one.replace(/(@[^@/]+)\//, `$1,${address}/`);
}

async function failureOf(promise: Promise<unknown>): Promise<DsmError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DsmError)) throw new Error(`no DsmError but ${String(error)}`);
  return error;
}

/** The signal is there at once, and each thread heeds it when its turn comes. */
async function standStill(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await until("all threads stand still", async () => {
    const threads = await readdir(`/proc/${pid}/task`);
    const stats = threads.map((id) => readFile(`/proc/${pid}/task/${id}/stat`, "utf8"));
    return (await Promise.all(stats)).every((text) => /\) T /.test(text));
  });
}

/** How long it took in milliseconds. */
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** Detection, and one try. */
const switchMaxMs = limits.catalogProbeMs + limits.catalogProbeTimeoutMs + 1_000;

describe.skipIf(missing !== undefined)(`two MariaDB servers in one URL${why}`, () => {
  // They know nothing of each other, so that the answer tells which of them was asked.
  let one: MariaDb;
  let two: MariaDb;
  let url: string;
  beforeAll(async () => {
    [one, two] = await Promise.all([startMariaDb(), startMariaDb()]);
    const urls = [await one.createDatabase(), await two.createDatabase()] as const;
    for (const [i, each] of urls.entries()) {
      await migrateCatalog(each);
      await using catalog = await openCatalog(each);
      await catalog.assignGroup("who", i === 0 ? "one" : "two", 1);
    }
    url = both(...urls);
  });
  afterAll(async () => {
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
  });

  const asked = (catalog: Catalog) => catalog.groupOf("who");
  const isBack = (catalog: Catalog) =>
    until("the first is used again", async () => (await asked(catalog)) === "one");

  test("the first is used; where it is lost the second, until the first has been well", async () => {
    await using catalog = await openCatalog(url);
    expect(await asked(catalog)).toBe("one");
    await one.kill();
    const tookMs = await timeOf(async () => expect(await asked(catalog)).toBe("two"));
    expect(tookMs).toBeLessThan(1_000);
    // Opened while the first is away, and migrated.
    await migrateCatalog(url);
    await using late = await openCatalog(url);
    expect(await asked(late)).toBe("two");
    await one.start();
    const awayMs = await timeOf(() => isBack(catalog));
    expect(awayMs).toBeGreaterThan(limits.catalogReturnMs - limits.catalogProbeMs);
    await isBack(late);
  });

  test("one that takes connections and hangs costs no more than it takes to see that", async () => {
    await using catalog = await openCatalog(url);
    await Promise.all(Array.from({ length: 20 }, () => catalog.ping()));
    await standStill(one.pid ?? 0);
    try {
      const calls = Array.from({ length: 20 }, () => asked(catalog));
      const tookMs = await timeOf(async () => {
        expect(new Set(await Promise.all(calls))).toEqual(new Set(["two"]));
      });
      expect(tookMs).toBeLessThan(switchMaxMs);
      const openedMs = await timeOf(async () => {
        await using late = await openCatalog(url);
        expect(await asked(late)).toBe("two");
      });
      expect(openedMs).toBeLessThan(switchMaxMs);
    } finally {
      process.kill(one.pid ?? 0, "SIGCONT");
    }
  });

  test("one that is read-only is not written to", async () => {
    await using catalog = await openCatalog(url);
    await one.query("SET GLOBAL read_only = 1");
    await until("the second is used", async () => (await asked(catalog)) === "two");
    await one.query("SET GLOBAL read_only = 0");
  });

  test("when none is left calls fail in time, then at once, and go on by themselves", async () => {
    await using catalog = await openCatalog(url);
    await catalog.ping();
    await Promise.all([one.kill(), two.kill()]);
    const waiting = failureOf(asked(catalog));
    // Who has something older does not wait for a server that may come back.
    const atOnce = failureOf(catalog.current("ann", "a", { mayWait: false }));
    expect(await Promise.race([waiting.then(() => "waits"), atOnce.then(() => "at once")])).toBe(
      "at once",
    );
    expect((await atOnce).code).toBe("CATALOG_UNAVAILABLE");
    const error = await waiting;
    expect(error).toMatchObject({ code: "CATALOG_UNAVAILABLE", retryable: true });
    for (const { port } of [one, two]) {
      expect(error.message).toContain(`127.0.0.1:${port}: nothing listens there`);
    }
    await Bun.sleep(limits.catalogSwitchMs);
    expect(await timeOf(() => failureOf(catalog.ping()))).toBeLessThan(200);
    expect((await failureOf(openCatalog(url))).code).toBe("CATALOG_UNAVAILABLE");
    await two.start();
    await until("it goes on", () => asked(catalog).catch(() => undefined));
    expect(await asked(catalog)).toBe("two");
    await one.start();
  });

  test("a wrong password is told as such, and each server is examined", async () => {
    const denied = await failureOf(openCatalog(url.replace(/:[^:/]+@/, ":wrong-secret@")));
    expect(denied.code).toBe("BAD_CONFIG");
    expect(denied.message).not.toContain("wrong-secret");
    const servers = await examineCatalog(url);
    const shown = servers.map((server) => /@(.*)\//.exec(server.shown)?.[1]);
    expect(shown).toEqual([`127.0.0.1:${one.port}`, `127.0.0.1:${two.port}`]);
    expect(servers.map(({ fault }) => fault)).toEqual([undefined, undefined]);
  });
});

describe.skipIf(missing !== undefined)(`two ways to one MariaDB server${why}`, () => {
  let server: MariaDb;
  beforeAll(async () => {
    server = await startMariaDb();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function openThrough(ports: number[]): Promise<Catalog> {
    const url = await server.createDatabase();
    await migrateCatalog(url);
    const addresses = ports.map((port) => `127.0.0.1:${port}`).join(",");
    return openCatalog(url.replace(/@[^@/]+\//, `@${addresses}/`));
  }

  test("a commit whose answer is lost in silence is in force, and counted once", async () => {
    using first = startProxy(server.port);
    using second = startProxy(server.port);
    await using catalog = await openThrough([first.port, second.port]);
    await catalog.assignGroup("ann", "g1", 1);
    await catalog.setQuota("ann", 25, 1);
    first.loseAnswerTo("COMMIT", "in silence");
    const kept = put({ user: "ann", fileId: "a", sizeBytes: 10 });
    expect(await catalog.commit([kept])).toEqual(["in force"]);
    expect(await catalog.current("ann", "a")).toEqual({ version: 1, file: kept.file });
    expect(await catalog.usageOf("ann")).toMatchObject({ liveFiles: 1, liveBytes: 10 });
    // Of the next one the answer is lost with the connection, and it replaces what was there.
    second.loseAnswerTo("COMMIT", "with the connection");
    const file = { user: "ann", fileId: "a", sizeBytes: 12, version: 2 };
    expect(await catalog.commit([put(file, kept.file.blobId)])).toEqual(["in force"]);
    expect(await catalog.usageOf("ann")).toMatchObject({
      liveFiles: 1,
      liveBytes: 12,
      trashBlobs: 1,
      trashBytes: 10,
    });
    expect(await catalog.checkUsage({ repair: false })).toEqual([]);
  });

  test("a lease whose answer is lost skips ids and repeats none", async () => {
    using proxy = startProxy(server.port);
    await using catalog = await openThrough([proxy.port]);
    expect(await catalog.leaseSegment("ids", 10)).toEqual({ first: 1, count: 10 });
    proxy.loseAnswerTo("update", "with the connection");
    expect(await catalog.leaseSegment("ids", 10)).toEqual({ first: 21, count: 10 });
  });
});

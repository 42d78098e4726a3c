import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Catalog, migrateCatalog, openCatalog } from "@dsm/catalog";
import { blobIdToNumber, clusterSecret, DsmError } from "@dsm/protocol";
import { RpcPool } from "@dsm/rpc";
import { mariaDbMissing, sharedMariaDb, startProcess, tempDir } from "@dsm/testkit";

const dsm = resolve(import.meta.dir, "../../bin/dsm");
const secret = "5".repeat(64);
const killed = 128 + 9;
/** Small, so that a life takes several segments before it dies. */
const segmentIds = 7;

/** One catalog, and all ids that anybody was given. */
class Ids {
  readonly given: number[] = [];
  readonly #env: Record<string, string>;

  constructor(env: Record<string, string>) {
    this.#env = env;
  }

  /** `dsm id`, which dies when it takes its segment of that number. */
  async start(diesAtSegment?: number) {
    const armed = diesAtSegment === undefined ? "" : `ids.leased:${diesAtSegment}`;
    const server = await startProcess({
      cmd: [dsm, "id", "--listen", "127.0.0.1:0", "--segment-ids", `${segmentIds}`, "--json"],
      env: { ...this.#env, DSM_CRASH_AT: armed },
      ready: /"ready":true.*"endpoint":"([^"]+)"/,
    });
    const endpoints = [server.readyMatch?.[1] ?? ""];
    const pool = new RpcPool({ endpoints, role: "storage", secret: clusterSecret(secret) });
    return {
      server,
      /** @returns whether the server still gives some */
      lease: async (count: number): Promise<boolean> => {
        try {
          const { first, count: got } = await pool.call("lease", { count });
          const from = blobIdToNumber(first);
          for (let id = from; id < from + got; id++) this.given.push(id);
          return true;
        } catch (error) {
          if (error instanceof DsmError) return false;
          throw error;
        }
      },
      async [Symbol.asyncDispose]() {
        pool.close();
        await server[Symbol.asyncDispose]();
      },
    };
  }
}

async function neverTwice(catalogUrl: string, catalog: Catalog): Promise<void> {
  await using dir = await tempDir();
  const secretFile = join(dir.path, "secret");
  await Bun.write(secretFile, secret);
  await chmod(secretFile, 0o600);
  const env = { DSM_SECRET_FILE: secretFile, DSM_CATALOG: catalogUrl, DSM_LOG_LEVEL: "silent" };
  const ids = new Ids(env);
  // Beside it, one that lives on.
  await using other = await ids.start();
  for (const diesAtSegment of [1, 3, 2, 1]) {
    await using dying = await ids.start(diesAtSegment);
    for (let n = 1; await dying.lease(1 + (n % 3)); n++) {
      expect(await other.lease(2)).toBe(true);
      expect(n).toBeLessThan(100);
    }
    expect(await dying.server.exited).toBe(killed);
  }
  await using after = await ids.start();
  for (let n = 0; n < 20; n++) expect(await after.lease(3)).toBe(true);
  expect(new Set(ids.given).size).toBe(ids.given.length);
  expect(ids.given.length).toBeGreaterThan(80);
  // The four segments that nobody gave an id of are passed over, and are still the catalog's.
  const next = (await catalog.segments()).find(({ name }) => name === "blob")?.next ?? 0;
  expect(next).toBeGreaterThan(Math.max(...ids.given));
  expect(next - 1 - ids.given.length).toBeGreaterThanOrEqual(4 * segmentIds);
}

describe("an ID server that dies with a segment in hand gives no id twice", () => {
  test("on SQLite", async () => {
    await using dir = await tempDir();
    const url = `sqlite:${join(dir.path, "catalog.db")}`;
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    await neverTwice(url, catalog);
  }, 60_000);

  const missing = mariaDbMissing();
  describe.skipIf(missing !== undefined)(`on MariaDB${missing ? ` (${missing})` : ""}`, () => {
    const stack = new AsyncDisposableStack();
    let url: string;
    let catalog: Catalog;
    beforeAll(async () => {
      url = await (await sharedMariaDb()).createDatabase();
      await migrateCatalog(url);
      catalog = stack.use(await openCatalog(url));
    });
    afterAll(() => stack.disposeAsync());

    test("on MariaDB", () => neverTwice(url, catalog), 60_000);
  });
});

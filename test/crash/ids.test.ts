import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Catalog, migrateCatalog, openCatalog } from "@dsm/catalog";
import { SegmentAllocator, type SegmentSource } from "@dsm/ids";
import { DsmError } from "@dsm/protocol";
import { IdLease } from "@dsm/storage";
import { mariaDbMissing, startMariaDb, tempDir } from "@dsm/testkit";
import fc from "fast-check";

/** Where a crash or a lost connection can strike on the way of a lease. */
const points = [
  "before the catalog statement",
  "after the catalog statement",
  "before the lease is cut",
  "after the lease is cut, its answer lost",
  "in the storage, its lease lost",
] as const;
type Point = (typeof points)[number];

class Crash extends Error {}

/**
 * Two ID servers and three storages over a real catalog. At the scheduled steps something dies:
 * an ID server comes back without its segment, a storage without its lease.
 */
class Cluster {
  readonly #catalog: Catalog;
  readonly #segmentIds: number;
  readonly #leaseIds: number;
  readonly #servers: SegmentAllocator[];
  readonly #storages: IdLease[];
  readonly used: string[] = [];
  #striking: Point | undefined;

  constructor(catalog: Catalog, segmentIds: number, leaseIds: number) {
    this.#catalog = catalog;
    this.#segmentIds = segmentIds;
    this.#leaseIds = leaseIds;
    this.#servers = [0, 1].map(() => this.#newServer());
    this.#storages = [0, 1, 2].map(() => this.#newStorage());
  }

  async step(storage: number, strike: Point | undefined): Promise<void> {
    this.#striking = strike;
    try {
      const id = await this.#storages[storage]!.next();
      this.used.push(id);
      if (strike === "in the storage, its lease lost") this.#storages[storage] = this.#newStorage();
    } catch (error) {
      if (!(error instanceof Crash) && !(error instanceof DsmError)) throw error;
    }
  }

  #strikeAt(point: Point): void {
    if (this.#striking !== point) return;
    this.#striking = undefined;
    throw new Crash(point);
  }

  #newServer(): SegmentAllocator {
    const source: SegmentSource = {
      leaseSegment: async (name, count) => {
        this.#strikeAt("before the catalog statement");
        const segment = await this.#catalog.leaseSegment(name, count);
        this.#strikeAt("after the catalog statement");
        return segment;
      },
    };
    return new SegmentAllocator(source, this.#segmentIds);
  }

  #newStorage(): IdLease {
    let turn = 0;
    const lease = async (count: number) => {
      const server = turn++ % this.#servers.length;
      try {
        this.#strikeAt("before the lease is cut");
        const cut = await this.#servers[server]!.lease(count);
        this.#strikeAt("after the lease is cut, its answer lost");
        return cut;
      } catch (error) {
        // The ID server died: what it had in memory is gone.
        if (error instanceof Crash) this.#servers[server] = this.#newServer();
        throw error;
      }
    };
    return new IdLease({ lease }, this.#leaseIds);
  }
}

const scheduleArbitrary = fc.array(
  fc.record({
    storage: fc.nat(2),
    strike: fc.option(fc.constantFrom(...points), { nil: undefined, freq: 2 }),
  }),
  { minLength: 20, maxLength: 120 },
);

function neverRepeats(catalogOf: () => Catalog, numRuns: number): Promise<void> {
  // All runs share the catalog, so ids must differ between them as well.
  const everUsed = new Set<string>();
  let given = 0;
  return fc.assert(
    fc.asyncProperty(
      scheduleArbitrary,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 9 }),
      async (schedule, segmentIds, leaseIds) => {
        const cluster = new Cluster(catalogOf(), segmentIds, leaseIds);
        for (const { storage, strike } of schedule) await cluster.step(storage, strike);
        for (const id of cluster.used) everUsed.add(id);
        given += cluster.used.length;
        expect(everUsed.size).toBe(given);
        expect(cluster.used.length).toBeGreaterThan(0);
      },
    ),
    { numRuns, endOnFailure: true },
  );
}

describe("ids are never repeated over random crash points", () => {
  test("on SQLite", async () => {
    await using dir = await tempDir();
    const url = `sqlite:${join(dir.path, "catalog.db")}`;
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    await neverRepeats(() => catalog, 60);
  });

  const missing = mariaDbMissing();
  describe.skipIf(missing !== undefined)(`on MariaDB${missing ? ` (${missing})` : ""}`, () => {
    const stack = new AsyncDisposableStack();
    let catalog: Catalog;
    beforeAll(async () => {
      const server = stack.use(await startMariaDb());
      const url = await server.createDatabase();
      await migrateCatalog(url);
      catalog = stack.use(await openCatalog(url));
    });
    afterAll(() => stack.disposeAsync());

    test("on MariaDB", () => neverRepeats(() => catalog, 40));
  });
});

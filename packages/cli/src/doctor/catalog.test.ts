import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { migrateCatalog } from "@dsm/catalog";
import { clusterSecret } from "@dsm/protocol";
import { type MariaDb, mariaDbMissing, startMariaDb } from "@dsm/testkit";
import { checkCatalog } from "./catalog.ts";
import type { Subject } from "./subject.ts";

const missing = mariaDbMissing();

describe.skipIf(missing !== undefined)("the catalog on MariaDB", () => {
  let server: MariaDb;
  let url: string;
  beforeAll(async () => {
    server = await startMariaDb({ durable: true });
    url = await server.createDatabase();
    await migrateCatalog(url);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const look = (catalogUrl: string | undefined) => {
    const secret = clusterSecret("5".repeat(64));
    const nothing: Subject = {
      secret,
      trackers: [],
      idServers: ["a:1", "b:1", "c:1"],
      catalogUrl,
      gateways: [],
      media: [],
      storage: "none",
    };
    return checkCatalog(nothing);
  };

  test("is well as it comes", async () => {
    expect(await look(url)).toMatchObject([{ level: "ok", what: "reachable, migrated, durable" }]);
  });

  for (const [setting, bad, good, level] of [
    ["innodb_flush_log_at_trx_commit", "2", "1", "warning"],
    ["max_allowed_packet", "1048576", "16777216", "error"],
    // The fewest that can be set.
    ["max_connections", "10", "151", "warning"],
  ] as const) {
    test(`${setting} of ${bad} is named, with what to set`, async () => {
      await server.query(`SET GLOBAL ${setting} = ${bad}`);
      try {
        const [found, ...others] = await look(url);
        expect(others).toEqual([]);
        expect(found).toMatchObject({ level });
        expect(found?.what).toContain(`${setting} is ${bad}`);
        expect(found?.remedy).toStartWith("set it to");
      } finally {
        await server.query(`SET GLOBAL ${setting} = ${good}`);
      }
    });
  }

  test("tables that are missing, and a password that is wrong; never is one shown", async () => {
    const empty = await server.createDatabase();
    const [unmigrated] = await look(empty);
    expect(unmigrated).toMatchObject({ level: "error" });
    expect(unmigrated?.remedy).toContain("dsm catalog migrate");
    const wrong = url.replace(/:[^:@]*@/, ":quite-another@");
    const [refused] = await look(wrong);
    expect(refused).toMatchObject({ level: "error" });
    expect(JSON.stringify(refused)).not.toContain("quite-another");
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { type Gateway, startGateway } from "@dsm/gateway";
import { silentLog } from "@dsm/log";
import { tempDir, until } from "@dsm/testkit";

const freshnessMs = 1_000;

/**
 * The cluster's own gateway is in the process of those that write; the other one stands for a
 * gateway on another machine, which nobody tells anything.
 */
for (const delivery of ["local", "proxy"] as const) {
  describe(`a gateway that remembers, delivery ${delivery}`, () => {
    const stack = new AsyncDisposableStack();
    let cluster: Cluster;
    let client: DsmClient;
    let other: Gateway;

    beforeAll(async () => {
      const dir = stack.use(await tempDir());
      cluster = stack.use(await startCluster({ dataDir: dir.path, delivery, freshnessMs }));
      client = stack.use(cluster.client());
      other = stack.use(
        await startGateway({
          hostname: "127.0.0.1",
          port: 0,
          trackers: cluster.trackerEndpoints,
          secret: cluster.secret,
          delivery,
          mounts: new Map([["g1", cluster.groupRoot("g1")]]),
          freshnessMs,
          outageGraceMs: 0,
          hotCacheBytes: 1_000_000,
          hotFileMaxBytes: 100_000,
          log: silentLog,
        }),
      );
    });
    afterAll(() => stack.disposeAsync());

    /** Each test has a file of its own, of which nothing is remembered from the test before. */
    let fileId = "";
    let files = 0;
    beforeEach(() => {
      fileId = `f${files++}`;
    });

    const upload = (text: string) =>
      client.upload({
        user: "ann",
        fileId,
        source: bytesSource(new TextEncoder().encode(text)),
        overwrite: true,
      });
    const here = () => fetch(`${cluster.http}/media/ann/${fileId}`);
    const there = () => fetch(`${other.url}/media/ann/${fileId}`);
    const textOf = async (response: Promise<Response>) => (await response).text();

    test("what is written in its own process is seen at once, by whichever way", async () => {
      for (let i = 0; i < 50; i++) {
        await upload(`by the SDK ${i}`);
        expect(await textOf(here())).toBe(`by the SDK ${i}`);
        await fetch(`${cluster.http}/media/ann/${fileId}`, { method: "PUT", body: `by HTTP ${i}` });
        expect(await textOf(here())).toBe(`by HTTP ${i}`);
        await (i % 2 === 0
          ? client.delete({ user: "ann", fileId })
          : fetch(`${cluster.http}/media/ann/${fileId}`, { method: "DELETE" }));
        expect((await here()).status).toBe(404);
      }
    });

    test("what is written elsewhere is seen within the freshness, and is never of two versions", async () => {
      await upload("old");
      expect(await textOf(there())).toBe("old");
      await upload("newer");
      const acknowledgedAtMs = Date.now();
      const late: string[] = [];
      await until("the new version is there", async () => {
        const askedAtMs = Date.now();
        const response = await there();
        const text = await response.text();
        expect(["old", "newer"]).toContain(text);
        expect(response.headers.get("content-length")).toBe(`${text.length}`);
        if (text === "old" && askedAtMs - acknowledgedAtMs >= freshnessMs) late.push(text);
        return text === "newer";
      });
      expect(late).toEqual([]);
    });

    test("a delete elsewhere is seen within the freshness, and a file that is put back at once", async () => {
      await upload("there");
      expect(await textOf(there())).toBe("there");
      await client.delete({ user: "ann", fileId });
      await until("the delete is seen", async () => (await there()).status === 404);
      await upload("back");
      expect(await textOf(there())).toBe("back");
    });

    test("a file that is in memory is served as one that is not", async () => {
      await upload("0123456789");
      const answers = [];
      for (let i = 0; i < 2; i++) {
        const response = await fetch(`${other.url}/media/ann/${fileId}`, {
          headers: { Range: "bytes=3-5" },
        });
        const { date: _, ...headers } = Object.fromEntries(response.headers);
        answers.push({ status: response.status, headers, text: await response.text() });
      }
      expect(answers[1]).toEqual(answers[0]);
      expect(answers[1]).toMatchObject({
        status: 206,
        text: "345",
        headers: { "content-length": "3", "content-range": "bytes 3-5/10" },
      });
    });

    test("it tells what it remembered", async () => {
      const metrics = await textOf(fetch(`${other.url}/metrics`));
      expect(metrics).toMatch(/dsm_gateway_located_total\{from="memory"\} [1-9]/);
      expect(metrics).toMatch(/dsm_gateway_hot_total\{result="hit"\} [1-9]/);
      expect(metrics).toMatch(/dsm_gateway_requests_total\{method="GET",status="206"\} 2\n/);
      expect(metrics).toMatch(/process_resident_memory_bytes [1-9]/);
    });
  });
}

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bytesSource } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { type Gateway, type GatewayOptions, startGateway } from "@dsm/gateway";
import { silentLog } from "@dsm/log";
import { type LinkKey, LinkKeys, type MediaLink, signLink } from "@dsm/protocol";
import { runTool, tempDir, until } from "@dsm/testkit";
import { type NginxFront, nginxMissing, startNginxFront } from "./nginx-front.ts";

const linkKey: LinkKey = { id: "2026-11", secret: "n".repeat(32) };
const writeKey = "the-write-key";
const authorization = `Bearer ${writeKey}`;
const maxAgeS = 4;
const sliceBytes = 4 * 1024 * 1024;
const sizeBytes = 3 * sliceBytes + 12_345;

/** Each version of each file has bytes of its own at every place. */
function contentOf(version: number, length = sizeBytes): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map((_, at) => (at * 7 + (at >> 12) + version * 31) % 251);
}

/** All that comes, also where the connection breaks. */
async function readToTheEnd(url: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of (await fetch(url)).body ?? []) chunks.push(chunk);
  } catch {
    // It is shorter than it was to be, which the caller sees.
  }
  return Buffer.concat(chunks);
}

const missing = nginxMissing();
describe.skipIf(missing !== undefined)(`a front of nginx${missing ? ` (${missing})` : ""}`, () => {
  let stack: AsyncDisposableStack;
  let cluster: Cluster;
  let gateways: Gateway[];
  let front: NginxFront;

  async function gateway(options: Partial<GatewayOptions>): Promise<Gateway> {
    const mounts = new Map(cluster.groupNames.map((group) => [group, cluster.groupRoot(group)]));
    const started = await startGateway({
      hostname: "127.0.0.1",
      port: 0,
      trackers: cluster.trackerEndpoints,
      secret: cluster.secret,
      delivery: "auto",
      mounts,
      writeKey,
      linkKeys: [linkKey],
      trustedProxies: ["127.0.0.1"],
      cacheControl: `public, max-age=${maxAgeS}`,
      freshnessMs: 0,
      outageGraceMs: 0,
      hotCacheBytes: 0,
      hotFileMaxBytes: 0,
      log: silentLog,
      ...options,
    });
    return stack.use(started);
  }

  const frontOf = async (...all: Gateway[]) =>
    stack.use(await startNginxFront(all.map(({ url }) => new URL(url).host)));

  beforeAll(async () => {
    stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    cluster = stack.use(await startCluster({ dataDir: dir.path, reserveBytes: 0 }));
    gateways = [await gateway({}), await gateway({})];
    front = await frontOf(...gateways);
  }, 30_000);
  afterAll(() => stack.disposeAsync());

  /** How often gateways were asked for bytes of media. */
  async function deliveries(all: readonly Gateway[] = gateways): Promise<number> {
    const counts = await Promise.all(
      all.map(async ({ url }) => {
        const headers = { Authorization: authorization };
        const text = await (await fetch(`${url}/metrics`, { headers })).text();
        const lines = text.matchAll(/^dsm_gateway_deliveries_total\{[^}]*\} (\d+)$/gm);
        return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  const at = (fileId: string) => `${front.url}/media/ann/${encodeURIComponent(fileId)}`;

  async function put(fileId: string, body: Uint8Array<ArrayBuffer> | ReadableStream) {
    const init = { method: "PUT", body, headers: { Authorization: authorization } };
    return (await fetch(at(fileId), init)).status;
  }

  const range = (first: number, last: number) => ({ Range: `bytes=${first}-${last}` });

  test("a seek costs one piece, and what was read is not asked for again", async () => {
    const name = "a film, ä 100%.mp4";
    const content = contentOf(1);
    expect(await put(name, content)).toBe(201);
    const before = await deliveries();
    // Over the border of two pieces in the middle of the film.
    const [first, last] = [2 * sliceBytes - 1_000, 2 * sliceBytes + 999];
    const read = async () => {
      const part = await fetch(at(name), { headers: range(first, last) });
      expect(part.status).toBe(206);
      expect(part.headers.get("Content-Range")).toBe(`bytes ${first}-${last}/${sizeBytes}`);
      expect(await part.bytes()).toEqual(content.subarray(first, last + 1));
      return part.headers.get("ETag") ?? "";
    };
    const etag = await read();
    expect((await deliveries()) - before).toBe(2);
    expect(await read()).toBe(etag);
    expect((await deliveries()) - before).toBe(2);
    const whole = await fetch(at(name));
    expect([whole.status, whole.headers.get("Content-Length")]).toEqual([200, `${sizeBytes}`]);
    expect(await whole.bytes()).toEqual(content);
    expect((await deliveries()) - before).toBe(4);
    const unchanged = await fetch(at(name), { headers: { "If-None-Match": etag } });
    expect(unchanged.status).toBe(304);
    const past = await fetch(at(name), { headers: range(sizeBytes, sizeBytes + 1) });
    expect(past.status).toBe(416);
    const head = await fetch(at(name), { method: "HEAD" });
    expect([head.status, head.headers.get("Content-Length")]).toEqual([200, `${sizeBytes}`]);
    const saved = await fetch(`${at(name)}?download=1`, { headers: range(0, 9) });
    expect(saved.headers.get("Content-Disposition")).toContain("attachment");
    expect(await saved.bytes()).toEqual(content.subarray(0, 10));
  });

  test("an overwrite between two pieces is never mixed, and is seen in time", async () => {
    const [old, young] = [contentOf(2), contentOf(3)];
    expect(await put("series.mp4", old)).toBe(201);
    // The first piece is kept; the others are not.
    await (await fetch(at("series.mp4"), { headers: range(0, 99) })).bytes();
    expect(await put("series.mp4", young)).toBe(200);
    let broken = 0;
    await until("the new film comes whole", async () => {
      const got = await readToTheEnd(at("series.mp4"));
      // What came before a connection broke is of one version, too.
      const ofOne = [old, young].some((film) => got.equals(film.subarray(0, got.length)));
      expect(ofOne).toBe(true);
      if (got.length < sizeBytes) broken++;
      return got.equals(young);
    });
    // The old piece was fresh when its neighbours were asked for.
    expect(broken).toBeGreaterThan(0);
  }, 30_000);

  test("a deleted file is gone when its pieces are old, errors are not kept", async () => {
    expect((await fetch(at("short.mp4"))).status).toBe(404);
    expect(await put("short.mp4", contentOf(4, 1_000))).toBe(201);
    expect((await fetch(at("short.mp4"))).status).toBe(200);
    const init = { method: "DELETE", headers: { Authorization: authorization } };
    expect((await fetch(at("short.mp4"), init)).status).toBe(204);
    await until("it is gone", async () => (await fetch(at("short.mp4"))).status === 404);
  }, 30_000);

  test("uploads of any length go on as they come, with their conditions", async () => {
    const content = contentOf(5, 24_000_000);
    const chunked = new Blob([content]).stream();
    expect(await put("long.mp4", chunked)).toBe(201);
    expect(await put("long-too.mp4", content)).toBe(201);
    expect(await (await fetch(at("long.mp4"))).bytes()).toEqual(content);
    const headers = { Authorization: authorization, "If-None-Match": "*" };
    const again = await fetch(at("long.mp4"), { method: "PUT", body: "other", headers });
    expect(again.status).toBe(412);
    expect(await front.buffered()).toEqual([]);
  });

  test("signed links are checked each time, and no answer to one is kept", async () => {
    const strict = await gateway({ reads: "signed" });
    await using client = cluster.client();
    const content = contentOf(6, 100_000);
    await client.upload({ user: "bob", fileId: "own.mp4", source: bytesSource(content) });
    const signed = await frontOf(strict);
    const link = (terms: Partial<MediaLink> = {}) => {
      const expiresAtMs = Date.now() + 600_000;
      const about = { user: "bob", scope: { fileId: "own.mp4" }, expiresAtMs, ...terms };
      return signed.url + signLink(new LinkKeys([linkKey]), about).path;
    };
    const before = await deliveries([strict]);
    const shared = link();
    for (let reads = 1; reads <= 3; reads++) {
      const part = await fetch(shared, { headers: range(10, 19) });
      expect(await part.bytes()).toEqual(content.subarray(10, 20));
      expect((await deliveries([strict])) - before).toBe(reads);
    }
    const bare = `${signed.url}/media/bob/own.mp4`;
    expect((await fetch(bare)).status).toBe(401);
    expect((await fetch(link().replace(/.$/, "~"))).status).toBe(403);
    const withKey = { headers: { Authorization: authorization } };
    expect((await fetch(bare, withKey)).status).toBe(200);
    expect((await fetch(bare)).status).toBe(401);
    // The client's address is the one that nginx saw, whatever the client writes.
    const from = (address: string, url: string) =>
      runTool(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--interface", address].concat([
          "-H",
          "X-Forwarded-For: 127.0.0.9",
          "-H",
          "Forwarded: for=127.0.0.9",
          url,
        ]),
      );
    expect(await from("127.0.0.2", link({ clientAddress: "127.0.0.2" }))).toBe("200");
    expect(await from("127.0.0.2", link({ clientAddress: "127.0.0.9" }))).toBe("403");
  });

  test("a gateway that is gone is passed over", async () => {
    const [kept, gone] = [await gateway({}), await gateway({})];
    const pair = await frontOf(kept, gone);
    expect(await put("stays.mp4", contentOf(7, 1_000))).toBe(201);
    await gone[Symbol.asyncDispose]();
    for (let n = 0; n < 10; n++) {
      const answer = await fetch(`${pair.url}/media/ann/stays.mp4?n=${n}`);
      expect([answer.status, (await answer.bytes()).length]).toEqual([200, 1_000]);
    }
  });
});

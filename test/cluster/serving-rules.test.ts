import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bytesSource } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { clusterSecret, signCapability } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";

const user = "ann";
const content = Buffer.from("0123456789");

/** An EBML header, as a WebM begins. */
const webm = Buffer.from("1a45dfa39f4286810142f7810142f2810442f381084282847765626d", "hex");

let stack: AsyncDisposableStack;
beforeAll(() => {
  stack = new AsyncDisposableStack();
});
afterAll(() => stack.disposeAsync());

async function clusterWith(options: Partial<Parameters<typeof startCluster>[0]>): Promise<Cluster> {
  const dir = stack.use(await tempDir());
  const cluster = stack.use(await startCluster({ dataDir: dir.path, reserveBytes: 0, ...options }));
  await using client = cluster.client();
  await client.upload({ user, fileId: "a.mp4", source: bytesSource(content) });
  return cluster;
}

/** The URL and the headers of a direct request to the data port. */
function atStorage(cluster: Cluster, intent: "read" | "write", path: string) {
  const claims = { intent, user, group: "g1", expiresAtMs: Date.now() + 60_000 };
  const capability = signCapability(clusterSecret(cluster.secret), claims);
  const [storage] = cluster.storages;
  const url = `${storage?.running.dataUrl}/media/${user}/${path}`;
  return { url, headers: { Authorization: `Bearer ${capability}` } };
}

describe("uploads", () => {
  let cluster: Cluster;
  const doors = ["gateway", "storage"] as const;
  const door = (name: (typeof doors)[number], path: string) =>
    name === "gateway"
      ? { url: `${cluster.http}/media/${user}/${path}`, headers: {} }
      : atStorage(cluster, "write", path);

  beforeAll(async () => {
    cluster = await clusterWith({});
  });

  test.each(doors)("RFC 9110, section 14.5: a PUT of a part is refused, %s", async (name) => {
    const { url, headers } = door(name, "a.mp4");
    const answer = await fetch(url, {
      method: "PUT",
      headers: { ...headers, "Content-Range": "bytes 0-4/10" },
      body: "AAAAA",
    });
    expect([answer.status, JSON.parse(await answer.text()).code]).toEqual([400, "BAD_REQUEST"]);
    const kept = await fetch(`${cluster.http}/media/${user}/a.mp4`);
    expect(await kept.text()).toBe(content.toString());
  });

  test.each(doors)(
    "RFC 9110, section 13.1.4: If-Unmodified-Since guards a PUT, %s",
    async (name) => {
      const { url, headers } = door(name, `since-${name}`);
      const put = async (since: string) => {
        const conditions = { ...headers, "If-Unmodified-Since": since };
        return (await fetch(url, { method: "PUT", headers: conditions, body: "x" })).status;
      };
      const longAgo = "Sun, 06 Nov 1994 08:49:37 GMT";
      expect(await put(longAgo)).toBe(201);
      expect(await put(longAgo)).toBe(412);
      expect(await put("no date")).toBe(200);
      expect(await put(new Date(Date.now() + 60_000).toUTCString())).toBe(200);
      if (name === "storage") return;
      const headersOfDelete = { "If-Unmodified-Since": longAgo };
      expect((await fetch(url, { method: "DELETE", headers: headersOfDelete })).status).toBe(412);
      expect((await fetch(url)).status).toBe(200);
    },
  );

  test.each(doors)("what neither name nor client says is seen in the bytes, %s", async (name) => {
    const cases: [string, Buffer | string, Record<string, string>, string][] = [
      ["holiday", webm, {}, "video/webm"],
      ["holiday2", webm, { "Content-Type": "application/octet-stream" }, "video/webm"],
      ["told", webm, { "Content-Type": "video/x-mine" }, "video/x-mine"],
      ["named.mp4", webm, { "Content-Type": "" }, "video/mp4"],
      ["page", "<html><script>alert(1)</script>", {}, "application/octet-stream"],
      ["nothing", "", {}, "application/octet-stream"],
    ];
    for (const [fileId, body, more, type] of cases) {
      const { url, headers } = door(name, `${name}/${fileId}`);
      // Without this fetch would call a string text/plain.
      const put = { method: "PUT", headers: { ...headers, ...more }, body: new Blob([body]) };
      expect((await fetch(url, put)).status).toBe(201);
      const got = await fetch(`${cluster.http}/media/${user}/${name}/${fileId}`);
      expect([fileId, got.headers.get("content-type")]).toEqual([fileId, type]);
      const known = await cluster.catalog.current(user, `${name}/${fileId}`);
      expect(known?.file?.mediaType).toBe(type);
    }
  });
});

describe.each(["local", "proxy", "redirect"] as const)("Cache-Control and Vary, %s", (delivery) => {
  const configured = { cacheControl: "public, max-age=600", vary: ["X-Device"], delivery };
  const said = ({ status, headers }: Response) => [
    status,
    headers.get("cache-control"),
    headers.get("vary"),
  ];

  test("are what the operator says where everybody may read", async () => {
    const cluster = await clusterWith(configured);
    const url = `${cluster.http}/media/${user}/a.mp4`;
    const whole = await fetch(url);
    expect(said(whole)).toEqual([200, "public, max-age=600", "X-Device"]);
    expect(whole.redirected).toBe(delivery === "redirect");
    const part = await fetch(url, { headers: { Range: "bytes=1-2" } });
    expect(said(part)).toEqual([206, "public, max-age=600", "X-Device"]);
    const etag = whole.headers.get("etag") ?? "";
    const same = await fetch(url, { headers: { "If-None-Match": etag } });
    expect(said(same)).toEqual([304, "public, max-age=600", "X-Device"]);
    const gone = await fetch(`${url}x`);
    expect(said(gone)).toEqual([404, "no-store", null]);
    const outside = await fetch(url, { headers: { Range: "bytes=10-" } });
    expect(said(outside)).toEqual([416, "no-store", null]);
  });

  test("keep out of shared caches what needs a right", async () => {
    const writeKey = "the-key-to-read-and-write";
    const linkKeys = [{ id: "k1", secret: "s".repeat(32) }];
    const cluster = await clusterWith({ ...configured, reads: "signed", linkKeys, writeKey });
    const url = `${cluster.http}/media/${user}/a.mp4`;
    const headers = { Authorization: `Bearer ${writeKey}` };
    const first = await fetch(url, { headers, redirect: "manual" });
    const next = first.headers.get("location");
    expect([first.status, next !== null]).toEqual(
      delivery === "redirect" ? [307, true] : [200, false],
    );
    expect(first.headers.get("cache-control")).toBe(
      delivery === "redirect" ? "no-store" : "private, no-cache",
    );
    const last = next === null ? first : await fetch(next);
    expect(said(last)).toEqual([200, "private, no-cache", "X-Device"]);
  });

  test("a capability that was made for one client is private", async () => {
    const cluster = await clusterWith(configured);
    const { url, headers } = atStorage(cluster, "read", "a.mp4");
    expect(said(await fetch(url, { headers }))).toEqual([200, "private, no-cache", "X-Device"]);
  });
});

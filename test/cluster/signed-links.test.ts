import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bytesSource } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { type Gateway, type GatewayOptions, startGateway } from "@dsm/gateway";
import { silentLog } from "@dsm/log";
import { type LinkAnswer, type LinkKey, LinkKeys, type MediaLink, signLink } from "@dsm/protocol";
import { jsonOf, tempDir } from "@dsm/testkit";

const oldKey: LinkKey = { id: "2026-10", secret: "o".repeat(32) };
const newKey: LinkKey = { id: "2026-11", secret: "n".repeat(32) };
const foreignKey: LinkKey = { id: "2026-11", secret: "f".repeat(32) };
const writeKey = "the-write-key";

const film: MediaLink = {
  user: "ann",
  scope: { fileId: "films/ä b.mp4" },
  expiresAtMs: Date.now() + 600_000,
};
const bare = "/media/ann/films/%C3%A4%20b.mp4";
const content = new TextEncoder().encode("the film itself");
const pathBy = (key: LinkKey, terms: Partial<MediaLink> = {}) =>
  signLink(new LinkKeys([key]), { ...film, ...terms }).path;

let stack: AsyncDisposableStack;
let cluster: Cluster;

/** One more gateway of the same cluster. */
async function gateway(options: Partial<GatewayOptions>): Promise<Gateway> {
  return stack.use(
    await startGateway({
      hostname: "127.0.0.1",
      port: 0,
      trackers: cluster.trackerEndpoints,
      secret: cluster.secret,
      delivery: "auto",
      mounts: new Map(cluster.groupNames.map((group) => [group, cluster.groupRoot(group)])),
      writeKey,
      freshnessMs: 0,
      outageGraceMs: 0,
      hotCacheBytes: 0,
      hotFileMaxBytes: 0,
      log: silentLog,
      ...options,
    }),
  );
}

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const links = { reads: "signed", linkKeys: [newKey, oldKey], writeKey } as const;
  cluster = stack.use(await startCluster({ dataDir: dir.path, reserveBytes: 0, ...links }));
  await using client = cluster.client();
  for (const fileId of ["films/ä b.mp4", "films/hd/1.ts", "films.mp4", "films2/x"]) {
    await client.upload({ user: "ann", fileId, source: bytesSource(content) });
  }
  await client.upload({ user: "bob", fileId: "films/1.ts", source: bytesSource(content) });
});
afterAll(() => stack.disposeAsync());

/** The status, and the reason where it is none of success. */
async function ask(path: string, init: RequestInit = {}, base = cluster.http) {
  const response = await fetch(base + path, init);
  if (response.ok) return [response.status, await response.text()];
  const { detail, code } = await jsonOf(response);
  return [response.status, code, detail];
}

const ok = [200, "the film itself"];
const changed = [
  403,
  "FORBIDDEN",
  "the link is refused: it was changed, or its key is not known here (any more)",
];

describe("with signed reads", () => {
  test("nobody reads without a link but whoever has the write key", async () => {
    const missing = [401, "UNAUTHENTICATED", "reading needs a signed link"];
    expect(await ask(bare)).toEqual(missing);
    expect(await ask("/media/ann/nothing-there")).toEqual(missing);
    const keyed = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } });
    expect(await ask(bare, keyed(writeKey))).toEqual(ok);
    expect(await ask(bare, keyed("another-key"))).toEqual(missing);
  });

  test("a link opens its file with every header, to GET and HEAD, ranges too", async () => {
    const url = cluster.http + pathBy(newKey);
    const [get, head] = [await fetch(url), await fetch(url, { method: "HEAD" })];
    expect([get.status, head.status, await get.text()]).toEqual([200, 200, "the film itself"]);
    for (const name of ["content-length", "etag", "accept-ranges", "content-disposition"]) {
      expect([name, head.headers.get(name)]).toEqual([name, get.headers.get(name)]);
      expect(get.headers.has(name)).toBe(true);
    }
    expect(get.headers.get("cache-control")).toMatch(/private|no-store/);
    const part = await fetch(url, { headers: { Range: "bytes=4-7" } });
    expect([part.status, await part.text()]).toEqual([206, "film"]);
    const without = await fetch(cluster.http + bare, { method: "HEAD" });
    expect([without.status, without.headers.get("cache-control")]).toEqual([401, "no-store"]);
  });

  test("a file that is not there is 404 for whoever may know it", async () => {
    const path = pathBy(newKey, { scope: { fileId: "nothing-there" } });
    expect((await ask(path)).slice(0, 2)).toEqual([404, "FILE_NOT_FOUND"]);
  });

  test("what a link binds can be neither changed, dropped nor doubled", async () => {
    const path = pathBy(newKey, { notBeforeMs: Date.now() - 60_000, downloadOnly: true });
    expect((await ask(path))[0]).toBe(200);
    expect(await ask(path.replace("&dl=1", ""))).toEqual(changed);
    expect(await ask(path.replace(/exp=\d+/, "exp=9999999999"))).toEqual(changed);
    expect(await ask(path.replace("/ann/", "/bob/"))).toEqual(changed);
    expect(await ask(path.replace("%20b", "%20c"))).toEqual(changed);
    expect(await ask(`${path}&exp=9999999999`)).toEqual([
      403,
      "FORBIDDEN",
      "the link is refused: it has exp more than once",
    ]);
    expect(await ask(pathBy(foreignKey))).toEqual(changed);
  });

  test("a link that has expired or not begun says so", async () => {
    const past = pathBy(newKey, { expiresAtMs: 1_700_000_000_000 });
    expect(await ask(past)).toEqual([
      403,
      "FORBIDDEN",
      "the link is refused: it expired at 2023-11-14T22:13:20.000Z",
    ]);
    const later = pathBy(newKey, { notBeforeMs: film.expiresAtMs - 60_000 });
    expect((await ask(later))[2]).toStartWith("the link is refused: it is good from ");
  });

  test("a download-only link gives an attachment, whatever is asked for", async () => {
    const only = pathBy(newKey, { downloadOnly: true });
    const kind = async (path: string) =>
      (await fetch(cluster.http + path)).headers.get("content-disposition")?.split(";")[0];
    expect(await kind(`${only}&download=0`)).toBe("attachment");
    expect(await kind(pathBy(newKey))).toBe("inline");
    expect(await kind(`${pathBy(newKey)}&download=1`)).toBe("attachment");
  });

  test("a link for an address is good from there alone", async () => {
    expect(await ask(pathBy(newKey, { clientAddress: "127.0.0.1" }))).toEqual(ok);
    expect(await ask(pathBy(newKey, { clientAddress: "127.0.0.2" }))).toEqual([
      403,
      "FORBIDDEN",
      "the link is refused: it is for another address than the one that asks",
    ]);
    // A socket for both families names an IPv4 peer as ::ffff:127.0.0.1, on either engine.
    for (const delivery of ["auto", "proxy"] as const) {
      const rules = { reads: "signed", linkKeys: [newKey], hostname: "::" } as const;
      const { port } = await gateway({ ...rules, delivery });
      const base = `http://127.0.0.1:${port}`;
      expect(await ask(pathBy(newKey, { clientAddress: "127.0.0.1" }), {}, base)).toEqual(ok);
      expect((await ask(pathBy(newKey, { clientAddress: "::1" }), {}, base))[0]).toBe(403);
    }
  });

  test("a link for a prefix opens what is below it, playlists and their parts", async () => {
    const folder = pathBy(newKey, { scope: { prefix: "films/" } });
    const playlist = `${cluster.http}${folder}%C3%A4%20b.mp4`;
    expect(await (await fetch(playlist)).text()).toBe("the film itself");
    expect(await (await fetch(new URL("hd/1.ts", playlist))).text()).toBe("the film itself");
    expect((await fetch(new URL("../films2/x", playlist))).status).toBe(403);
    expect((await fetch(new URL("../films.mp4", playlist))).status).toBe(403);
    expect(await ask(`${folder.replace("/ann/", "/bob/")}1.ts`)).toEqual(changed);
    const all = pathBy(newKey, { scope: { prefix: "" } });
    expect(await ask(`${all}films2/x`)).toEqual(ok);
  });

  test("a link works under any name and any scheme, on any gateway of the cluster", async () => {
    const path = pathBy(newKey);
    expect(await ask(path, { headers: { Host: "media.example.org" } })).toEqual(ok);
    const second = await gateway({ reads: "signed", linkKeys: [newKey], delivery: "proxy" });
    expect(await ask(path, {}, second.url)).toEqual(ok);
  });

  test("writing is as before: a link gives no right to it", async () => {
    const path = pathBy(newKey);
    for (const method of ["PUT", "DELETE"]) {
      expect((await ask(path, { method }))[1]).toBe("UNAUTHENTICATED");
    }
    const headers = { Authorization: `Bearer ${writeKey}` };
    expect((await ask("/media/ann/new", { method: "PUT", body: "x", headers }))[0]).toBe(201);
    expect((await ask("/media/ann/new", { method: "DELETE", headers }))[0]).toBe(204);
  });
});

test("keys rotate: both are good until the old one is taken away", async () => {
  const before = await gateway({ reads: "signed", linkKeys: [oldKey] });
  const between = await gateway({ reads: "signed", linkKeys: [newKey, oldKey] });
  const after = await gateway({ reads: "signed", linkKeys: [newKey] });
  const statuses = async (path: string) =>
    (await Promise.all([before, between, after].map((it) => ask(path, {}, it.url)))).map(
      ([status]) => status,
    );
  expect(await statuses(pathBy(oldKey))).toEqual([200, 200, 403]);
  expect(await statuses(pathBy(newKey))).toEqual([403, 200, 200]);
});

test("with public reads the bare URL does, but a bad link is refused", async () => {
  const open = await gateway({ linkKeys: [newKey] });
  expect(await ask(bare, {}, open.url)).toEqual(ok);
  expect(await ask(pathBy(newKey), {}, open.url)).toEqual(ok);
  expect(await ask(pathBy(foreignKey), {}, open.url)).toEqual(changed);
});

test("behind a trusted proxy the client's own address counts", async () => {
  const behind = await gateway({
    reads: "signed",
    linkKeys: [newKey],
    trustedProxies: ["127.0.0.0/8"],
  });
  const path = pathBy(newKey, { clientAddress: "203.0.113.7" });
  const from = (address: string) => ({ headers: { "X-Forwarded-For": address } });
  expect(await ask(path, from("203.0.113.7"), behind.url)).toEqual(ok);
  expect((await ask(path, from("203.0.113.7, 198.51.100.1"), behind.url))[0]).toBe(403);
  expect((await ask(path, {}, behind.url))[0]).toBe(403);
  // This cluster's own gateway trusts nobody.
  expect((await ask(path, from("203.0.113.7")))[0]).toBe(403);
});

test("signed reads without a key do not start", async () => {
  await using dir = await tempDir();
  const started = startCluster({ dataDir: dir.path, reads: "signed" });
  await expect(started).rejects.toThrow("signed reads need a link key");
});

describe("POST /api/v1/links", () => {
  const wanted = { user: "ann", fileId: "films/ä b.mp4", expiresInS: 60 };
  const post = (body: unknown, headers: Record<string, string> = {}, base = cluster.http) =>
    fetch(`${base}/api/v1/links`, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${writeKey}`,
        "Content-Type": "application/json",
        ...headers,
      },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });

  test("makes links that open", async () => {
    const response = await post({ ...wanted, downloadOnly: true });
    const answer = await jsonOf<LinkAnswer>(response);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(answer).toEqual({
      path: expect.stringContaining("&dl=1"),
      url: cluster.http + answer.path,
      keyId: "2026-11",
      expiresAtMs: expect.any(Number),
    });
    expect(await ask(answer.path)).toEqual(ok);
    const { url } = await jsonOf<LinkAnswer>(
      await post({ user: "ann", prefix: "films/", expiresAtMs: Date.now() + 5_000 }),
    );
    expect(await (await fetch(`${url}hd/1.ts`)).text()).toBe("the film itself");
  });

  test("names the host that was asked, or the public URL", async () => {
    const urlOf = async (response: Response) => (await jsonOf<LinkAnswer>(response)).url;
    const hosted = await post(wanted, { Host: "m.example.org", "X-Forwarded-Host": "evil.org" });
    expect(await urlOf(hosted)).toStartWith("http://m.example.org/media/ann/");
    const publicUrl = "https://example.org/sub/";
    const named = await gateway({ linkKeys: [newKey], publicUrl });
    expect(await urlOf(await post(wanted, {}, named.url))).toStartWith(
      "https://example.org/sub/media/ann/films/",
    );
    const behind = await gateway({ linkKeys: [newKey], trustedProxies: ["127.0.0.1"] });
    const proxied = { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "p.example.org" };
    expect(await urlOf(await post(wanted, proxied, behind.url))).toStartWith(
      "https://p.example.org/media/ann/",
    );
  });

  test("needs the write key, and a key to sign with", async () => {
    expect((await post(wanted, { Authorization: "" })).status).toBe(401);
    expect((await post(wanted, { Authorization: "Bearer x" })).status).toBe(403);
    const without = await gateway({});
    const refused = await post(wanted, {}, without.url);
    expect([refused.status, (await jsonOf(refused)).code]).toEqual([404, "UNKNOWN_ROUTE"]);
  });

  test("refuses what it does not understand, and takes no more than it needs", async () => {
    const codeOf = async (response: Response) => [response.status, (await jsonOf(response)).code];
    const bad = [400, "BAD_REQUEST"];
    for (const body of ["", "{", "[]", "null", '{"user":"ann"}', { ...wanted, prefix: "films/" }]) {
      expect(await codeOf(await post(body))).toEqual(bad);
    }
    const prefix = { user: "ann", prefix: "films", expiresInS: 60 };
    expect(await codeOf(await post(prefix))).toEqual(bad);
    expect(await codeOf(await post(wanted, { "Content-Type": "text/plain" }))).toEqual(bad);
    const huge = JSON.stringify({ ...wanted, user: "x".repeat(1_000_000) });
    expect(await codeOf(await post(huge))).toEqual([413, "TOO_LARGE"]);
    const other = await fetch(`${cluster.http}/api/v1/links`);
    expect([other.status, other.headers.get("allow")]).toEqual([
      405,
      expect.stringContaining("POST"),
    ]);
  });
});

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import {
  blobIdFromNumber,
  clusterSecret,
  type DsmError,
  limits,
  LinkKeys,
  mediaPath,
  openCapability,
  signLink,
} from "@dsm/protocol";
import { jsonOf, mariaDbMissing, startMariaDb, tempDir, until } from "@dsm/testkit";

setDefaultTimeout(60_000);

const content = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));

describe("delivery by redirect", () => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;
  let client: DsmClient;

  beforeAll(async () => {
    const dir = stack.use(await tempDir());
    // Trackers hear of a death so late that the gateway has to find out by itself.
    const heartbeatIntervalMs = 600_000;
    cluster = stack.use(
      await startCluster({ dataDir: dir.path, delivery: "redirect", heartbeatIntervalMs }),
    );
    client = stack.use(cluster.client());
  });
  afterAll(() => stack.disposeAsync());

  const put = (fileId: string, bytes: Uint8Array = content) =>
    client.upload({ user: "ann", fileId, source: bytesSource(bytes), overwrite: true });
  const urlOf = (fileId: string) => `${cluster.http}${mediaPath("ann", fileId)}`;

  /** Where the gateway sends a reader. */
  async function locationOf(fileId: string, query = ""): Promise<string> {
    const response = await fetch(`${urlOf(fileId)}${query}`, { redirect: "manual" });
    expect([response.status, response.headers.get("cache-control")]).toEqual([307, "no-store"]);
    return response.headers.get("location") ?? "";
  }

  async function codeOf(url: string, init: RequestInit = {}): Promise<string> {
    const response = await fetch(url, init);
    return `${response.status} ${(await jsonOf(response)).code}`;
  }

  test("is followed with the Range that was asked for, and shows what the gateway shows", async () => {
    await put("film.mp4");
    const headers = { Range: "bytes=5-9" };
    const got = await fetch(urlOf("film.mp4"), { headers });
    const storages = cluster.storages.map((it) => it.running.publicUrl);
    expect(storages).toContain(new URL(got.url).origin);
    expect([got.status, got.headers.get("content-range")]).toEqual([206, "bytes 5-9/100000"]);
    expect(Buffer.from(await got.bytes())).toEqual(content.subarray(5, 10));

    const whole = await fetch(urlOf("film.mp4"));
    const head = await fetch(urlOf("film.mp4"), { method: "HEAD", redirect: "error" });
    const shown = [
      "accept-ranges",
      "cache-control",
      "content-disposition",
      "content-length",
      "content-type",
      "etag",
      "last-modified",
      "repr-digest",
    ];
    for (const name of shown) {
      expect([name, whole.headers.get(name)]).toEqual([name, head.headers.get(name)]);
    }
    expect(Buffer.from(await whole.bytes())).toEqual(content);
  });

  test("is not needed where no bytes are sent", async () => {
    await put("known.mp4");
    await put("empty", new Uint8Array());
    const etag = (await fetch(urlOf("known.mp4"), { method: "HEAD" })).headers.get("etag") ?? "";
    const statusOf = async (fileId: string, headers: Record<string, string>) =>
      (await fetch(urlOf(fileId), { headers, redirect: "manual" })).status;
    expect(await statusOf("known.mp4", { "If-None-Match": etag })).toBe(304);
    expect(await statusOf("known.mp4", { "If-Match": '"other"' })).toBe(412);
    expect(await statusOf("known.mp4", { Range: "bytes=100000-" })).toBe(416);
    expect(await statusOf("empty", {})).toBe(200);
    expect(await statusOf("missing", {})).toBe(404);
    expect(await statusOf("known.mp4", { "If-Match": etag })).toBe(307);
  });

  test("keeps a playlist at the gateway, against which its relative URLs are resolved", async () => {
    await put("hls/list.m3u8", Buffer.from("#EXTM3U\nsegment.ts\n"));
    const list = await fetch(urlOf("hls/list.m3u8"), { redirect: "error" });
    expect(await list.text()).toContain("segment.ts");
    await put("hls/segment.ts");
    const segment = await fetch(new URL("segment.ts", list.url));
    expect([segment.status, segment.redirected]).toEqual([200, true]);
  });

  test("carries any name, the longest too, and the wish for a download", async () => {
    const names = ["ä ö/日本 💿.mp4", "100%.mp4", "a?b&c=d#e+f.mp4", "'\"\\<>|.mp4", "%2e%2e"];
    for (const fileId of [...names, "日".repeat(170), '"'.repeat(limits.fileIdMaxBytes)]) {
      await put(fileId, Buffer.from(fileId));
      const location = await locationOf(fileId, "?download=1");
      expect(location.length).toBeLessThan(limits.urlMaxBytes / 2);
      const got = await fetch(location);
      expect([got.status, await got.text()]).toEqual([200, fileId]);
      expect(got.headers.get("content-disposition")).toStartWith("attachment;");
    }
  });

  test("is a right to one version of one file, to read it, for its time", async () => {
    await put("mine.mp4");
    await put("other.mp4");
    const location = await locationOf("mine.mp4");
    const base = new URL(location);
    const token = base.searchParams.get("capability") ?? "";
    for (let at = 0; at < token.length; at += 7) {
      const flipped = token[at] === "A" ? "B" : "A";
      base.searchParams.set("capability", token.slice(0, at) + flipped + token.slice(at + 1));
      expect(await codeOf(base.href)).toBe("403 FORBIDDEN");
    }
    expect(await codeOf(location.replace("mine.mp4", "other.mp4"))).toBe("403 FORBIDDEN");
    expect(await codeOf(location.replace("/ann/", "/bob/"))).toBe("403 FORBIDDEN");
    for (const method of ["PUT", "DELETE"]) {
      expect(await codeOf(location, { method })).toBe("401 UNAUTHENTICATED");
      const headers = { Authorization: `Bearer ${token}` };
      expect(await codeOf(location.split("?")[0]!, { method, headers })).toBe("403 FORBIDDEN");
    }
    expect((await fetch(location)).status).toBe(200);

    await using dir = await tempDir();
    const options = { dataDir: dir.path, delivery: "redirect", redirectTtlMs: 1 } as const;
    await using brief = await startCluster(options);
    await using writer = brief.client();
    await writer.upload({ user: "ann", fileId: "f.mp4", source: bytesSource(content) });
    const sent = await fetch(`${brief.http}/media/ann/f.mp4`, { redirect: "manual" });
    const url = sent.headers.get("location") ?? "";
    const refused = await until("its time is over", async () => {
      const response = await fetch(url);
      return response.ok ? undefined : response;
    });
    const why = "the capability is refused: it has expired";
    expect([refused.status, (await jsonOf(refused)).detail]).toEqual([403, why]);
  });

  test("never leads to a storage that is dead, before any tracker knows of it", async () => {
    await put("film.mp4");
    for (const storage of cluster.storages) {
      await storage.kill();
      await until("the health that the gateway knows is old", async () => {
        const got = await fetch(urlOf("film.mp4")).catch(() => undefined);
        return got?.status === 200;
      });
      for (let n = 0; n < 10; n++) expect((await fetch(urlOf("film.mp4"))).status).toBe(200);
      await storage.start();
    }
    for (const storage of cluster.storages) await storage.kill();
    await until("it is known that no storage answers", async () => {
      const got = await fetch(urlOf("film.mp4"), { redirect: "manual" });
      return got.status === 503 && (await jsonOf(got)).code === "GROUP_UNAVAILABLE";
    });
    for (const storage of cluster.storages) await storage.start();
    await until("they are back", async () => (await fetch(urlOf("film.mp4"))).status === 200);
  });

  test("a reader of a replaced file keeps its bytes, and new readers get the new ones", async () => {
    await put("film.mp4");
    const location = await locationOf("film.mp4");
    const next = Buffer.from(content).fill(1);
    await put("film.mp4", next);
    const old = await fetch(location, { headers: { Range: "bytes=99000-" } });
    expect(old.headers.get("content-range")).toBe("bytes 99000-99999/100000");
    expect(Buffer.from(await old.bytes())).toEqual(content.subarray(99_000));
    const fresh = await fetch(await locationOf("film.mp4"));
    expect(Buffer.from(await fresh.bytes())).toEqual(next);
    // Replaced once more it can no longer be told from a file that was deleted in between.
    await put("film.mp4");
    expect(await codeOf(location)).toBe("412 PRECONDITION_FAILED");
  });

  test("a reader of a deleted file is told, at once by those who know and soon by all", async () => {
    await put("film.mp4");
    const location = await locationOf("film.mp4");
    expect((await fetch(location)).status).toBe(200);
    await client.delete({ user: "ann", fileId: "film.mp4" });
    expect(await codeOf(location)).toBe("404 FILE_NOT_FOUND");

    await put("film.mp4");
    const again = await locationOf("film.mp4");
    expect((await fetch(again)).status).toBe(200);
    // As a member in another process would: nobody here hears of it.
    const { file, version } = (await cluster.catalog.current("ann", "film.mp4"))!;
    const { user, fileId, group, blobId: replaces } = file!;
    const id = blobIdFromNumber(2 ** 52);
    const change = { user, fileId, group, id, version: version + 1, replaces, atMs: Date.now() };
    expect(await cluster.catalog.commit([{ kind: "delete", ...change }])).toEqual(["in force"]);
    await until("the storage looks again", async () => (await fetch(again)).status === 404);
  });
});

test("groups are delivered each in its own way", async () => {
  await using dir = await tempDir();
  await using cluster = await startCluster({
    dataDir: dir.path,
    groups: 3,
    storages: 1,
    delivery: {
      others: "local",
      byGroup: new Map([
        ["g2", "redirect"],
        ["g3", "proxy"],
      ]),
    },
  });
  await using client = cluster.client();
  const seen: Record<string, [number, boolean]> = {};
  for (const group of cluster.groupNames) {
    await client.assign(`user-${group}`, group);
    await client.upload({ user: `user-${group}`, fileId: "f.mp4", source: bytesSource(content) });
    const url = `${cluster.http}/media/user-${group}/f.mp4`;
    await until("the gateway has the engine for it", async () => (await fetch(url)).status === 200);
    const got = await fetch(url);
    expect(Buffer.from(await got.bytes())).toEqual(content);
    expect(got.headers.get("content-length")).toBe(String(content.length));
    seen[group] = [got.status, got.redirected];
  }
  expect(seen).toEqual({ g1: [200, false], g2: [200, true], g3: [200, false] });
});

test("the terms of a signed link are kept by the storage that it leads to", async () => {
  await using dir = await tempDir();
  const keys = [{ id: "k1", secret: "5".repeat(64) }];
  await using cluster = await startCluster({
    dataDir: dir.path,
    delivery: "redirect",
    reads: "signed",
    linkKeys: keys,
  });
  await using client = cluster.client();
  await client.upload({ user: "ann", fileId: "f.mp4", source: bytesSource(content) });
  const expiresAtMs = Date.now() + 600_000;
  const { path } = signLink(new LinkKeys(keys), {
    user: "ann",
    scope: { fileId: "f.mp4" },
    expiresAtMs,
    downloadOnly: true,
    clientAddress: "127.0.0.1",
  });
  const got = await fetch(`${cluster.http}${path}`);
  expect([got.status, got.redirected, got.headers.get("cache-control")]).toEqual([
    200,
    true,
    "private, no-cache",
  ]);
  expect(got.headers.get("content-disposition")).toStartWith("attachment;");
  const token = new URL(got.url).searchParams.get("capability") ?? "";
  const claims = openCapability(clusterSecret(cluster.secret), token, Date.now());
  expect(claims).toMatchObject({ clientAddress: "127.0.0.1", downloadOnly: true });
  // In whole seconds, as links have it.
  expect(Math.abs(claims.expiresAtMs - expiresAtMs)).toBeLessThan(1_000);
});

const missing = mariaDbMissing();
const why = missing === undefined ? "" : ` (${missing})`;

test.skipIf(missing !== undefined)(`readers seek on while the catalog is down${why}`, async () => {
  await using dir = await tempDir();
  await using server = await startMariaDb();
  const catalogUrl = await server.createDatabase();
  const options = { dataDir: dir.path, delivery: "redirect", catalogUrl } as const;
  await using cluster = await startCluster(options);
  await using client = cluster.client();
  await client.upload({ user: "ann", fileId: "f.mp4", source: bytesSource(content) });
  const url = `${cluster.http}/media/ann/f.mp4`;
  const { url: followed } = await fetch(url);
  await server.stop();
  // By one who was redirected before, and by one who comes now.
  for (const seek of [followed, url]) {
    const got = await fetch(seek, { headers: { Range: "bytes=99000-" } });
    expect([got.status, (await got.bytes()).length]).toEqual([206, 1_000]);
  }
  await server.start();
  await until("deletes are possible again", () =>
    client.delete({ user: "ann", fileId: "f.mp4" }).then(
      () => true,
      (error: unknown) => (error as DsmError).code === "FILE_NOT_FOUND",
    ),
  );
  await until("the delete is seen", async () => (await fetch(followed)).status === 404);
});

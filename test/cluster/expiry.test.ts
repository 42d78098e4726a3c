import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { DsmError, type FileInfo, limits, mediaPath } from "@dsm/protocol";
import { collect, jsonOf, tempDir, until } from "@dsm/testkit";

setDefaultTimeout(60_000);

const large = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => i % 251));
const ttlMs = limits.ttlMinMs;

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: unknown) => (error instanceof DsmError ? error.code : String(error)),
  );
}

async function hasExpired({ expiresAtMs = Infinity }: FileInfo): Promise<void> {
  await until("it has expired", () => Date.now() >= expiresAtMs);
}

describe.each(["local", "proxy", "redirect"] as const)("a file that expires, %s", (delivery) => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;
  let client: DsmClient;

  beforeAll(async () => {
    const dir = stack.use(await tempDir());
    // What the gateway remembers is good for as long as the tests last, and nothing is reaped.
    const cache = { freshnessMs: 60_000, cacheControl: "public, max-age=600" };
    cluster = stack.use(await startCluster({ dataDir: dir.path, delivery, ...cache }));
    client = stack.use(cluster.client());
  });
  afterAll(() => stack.disposeAsync());

  const urlOf = (fileId: string) => `${cluster.http}${mediaPath("ann", fileId)}`;
  const putFor = (fileId: string, bytes: Uint8Array<ArrayBuffer>, after: string) =>
    fetch(urlOf(fileId), { method: "PUT", body: bytes, headers: { "X-Expires-After": after } });
  const jsonUrl = (path: string) => `${cluster.http}/api/v1/${path}`;

  test("is gone for every reader at its time, whatever is remembered of it", async () => {
    const put = await putFor("clip", large, "3");
    const file = await jsonOf<FileInfo>(put);
    expect(put.status).toBe(201);
    expect(file.expiresAtMs).toBe(file.modifiedAtMs + 3_000);
    await client.upload({ user: "ann", fileId: "other", source: bytesSource(large) });
    const located = await client.locateFile("ann", "clip");
    const first = await fetch(urlOf("clip"));
    expect([first.status, (await first.bytes()).length]).toEqual([200, large.length]);
    const seconds = /^public, max-age=(\d+)$/.exec(first.headers.get("cache-control") ?? "")?.[1];
    expect(Number(seconds)).toBeLessThanOrEqual(3);
    expect(first.headers.get("expires")).toBe(new Date(file.expiresAtMs!).toUTCString());
    const direct = first.url;
    await hasExpired(file);
    const read = await fetch(urlOf("clip"));
    expect([read.status, (await jsonOf(read)).code]).toEqual([404, "FILE_NOT_FOUND"]);
    const part = await fetch(direct, { headers: { Range: "bytes=5-9" } });
    expect(part.status).toBe(404);
    expect((await fetch(urlOf("clip"), { method: "HEAD" })).status).toBe(404);
    expect((await fetch(jsonUrl("files/ann/clip"))).status).toBe(404);
    const listed = await client.list({ user: "ann", limit: 10 });
    expect(listed.files.map((it) => it.fileId)).toEqual(["other"]);
    expect(await codeOf(client.stat("ann", "clip"))).toBe("FILE_NOT_FOUND");
    expect(await codeOf(client.open({ user: "ann", fileId: "clip" }))).toBe("FILE_NOT_FOUND");
    // A capability from before does not help either.
    expect(await codeOf(client.openLocated(located, {}))).toBe("FILE_NOT_FOUND");
    const { storages, capability } = located.location;
    for (const { dataUrl } of storages) {
      const asked = await fetch(`${dataUrl}${mediaPath("ann", "clip")}`, {
        headers: { Authorization: `Bearer ${capability}` },
      });
      expect([asked.status, (await jsonOf(asked)).code]).toEqual([404, "FILE_NOT_FOUND"]);
    }
    expect((await fetch(urlOf("clip"), { method: "DELETE" })).status).toBe(404);
    // It is as if it had never been: the name is free, and a new file under it stays.
    const anew = await fetch(urlOf("clip"), {
      method: "PUT",
      body: "anew",
      headers: { "If-None-Match": "*" },
    });
    expect(anew.status).toBe(201);
    expect((await jsonOf<FileInfo>(anew)).expiresAtMs).toBeUndefined();
    expect(await (await fetch(urlOf("clip"))).text()).toBe("anew");
  });

  test("is given to its end to who began in time", async () => {
    const { file } = await client.upload({
      user: "ann",
      fileId: "long",
      source: bytesSource(large),
      ttlMs: 3_000,
    });
    const viaHttp = await fetch(urlOf("long"));
    const { body } = await client.open({ user: "ann", fileId: "long" });
    const first = await body[Symbol.asyncIterator]().next();
    await hasExpired(file);
    // Behind what any buffer on the way holds, windows are asked for by now.
    const rest = await collect(body);
    expect((first.value as Uint8Array).length + rest.length).toBe(large.length);
    expect(Buffer.from(await viaHttp.bytes()).equals(large)).toBe(true);
  });

  test("lives on when it is overwritten without a time, and dies when it gets one", async () => {
    const { file } = await client.upload({
      user: "ann",
      fileId: "kept",
      source: bytesSource(Buffer.from("first")),
      ttlMs,
    });
    expect((await fetch(urlOf("kept"), { method: "PUT", body: "second" })).status).toBe(200);
    await hasExpired(file);
    expect(await (await fetch(urlOf("kept"))).text()).toBe("second");
    const third = await putFor("kept", Buffer.from("third"), "1s");
    await hasExpired(await jsonOf<FileInfo>(third));
    expect((await fetch(urlOf("kept"))).status).toBe(404);
  });

  test("is refused with a time that is none", async () => {
    for (const after of ["soon", "0", "-5", "1.5h", "11y", "4000d"]) {
      const put = await putFor("never", Buffer.from("x"), after);
      expect([put.status, (await jsonOf(put)).code]).toEqual([400, "BAD_REQUEST"]);
    }
    const source = bytesSource(Buffer.from("x"));
    const put = client.upload({ user: "ann", fileId: "never", source, ttlMs: 1 });
    expect(await codeOf(put)).toBe("BAD_REQUEST");
    expect(await codeOf(client.stat("ann", "never"))).toBe("FILE_NOT_FOUND");
  });
});

test("while the catalog is down, an expired file is not served from memory", async () => {
  await using dir = await tempDir();
  await using cluster = await startCluster({ dataDir: dir.path, freshnessMs: 0 });
  await using client = cluster.client();
  const url = `${cluster.http}/media/ann/f`;
  const source = bytesSource(Buffer.from("short"));
  const { file } = await client.upload({ user: "ann", fileId: "f", source, ttlMs: 2_000 });
  expect(await (await fetch(url)).text()).toBe("short");
  await cluster.catalog.close();
  await until("the outage is known, and the file is still served", async () => {
    const answer = await fetch(url);
    await answer.bytes();
    return answer.status === 200 || Date.now() >= file.expiresAtMs!;
  });
  await hasExpired(file);
  const late = await fetch(url);
  expect([late.status, (await jsonOf(late)).code]).toEqual([503, "CATALOG_UNAVAILABLE"]);
});

test("the reaper deletes what has expired and gives its space back", async () => {
  await using dir = await tempDir();
  const reaping = { trashGraceMs: 0, reapIntervalMs: 20 };
  await using cluster = await startCluster({ dataDir: dir.path, ...reaping });
  await using client = cluster.client();
  const upload = (fileId: string, terms: object) =>
    client.upload({ user: "ann", fileId, source: bytesSource(large), ...terms });
  await upload("goes", { ttlMs });
  const { file: stays } = await upload("stays", { ttlMs: 3_600_000 });
  await until("its space is back", async () => {
    const { liveFiles, trashBlobs } = await client.usage("ann");
    return liveFiles === 1 && trashBlobs === 0;
  });
  const { blobs } = await client.trash({ user: "ann", limit: 10 });
  expect(blobs).toEqual([]);
  expect(await client.stat("ann", "stays")).toEqual(stays);
  expect(await cluster.catalog.current("ann", "goes")).toEqual({ version: 2 });
});

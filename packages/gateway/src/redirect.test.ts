import { describe, expect, test } from "bun:test";
import {
  blobIdFromNumber,
  clusterSecret,
  openCapability,
  parseMediaTarget,
  type StorageAddress,
} from "@dsm/protocol";
import type { ReadGrant } from "./read-access.ts";
import { Redirector } from "./redirect.ts";
import { StorageHealth } from "./storage-health.ts";

const secret = clusterSecret("5".repeat(64));
const nowMs = 1_700_000_000_000;
const ttlMs = 3_600_000;
const open: ReadGrant = { isPrivate: false, downloadOnly: false };

const file = {
  user: "ann",
  fileId: "film/ä b?.mp4",
  group: "g1",
  blobId: blobIdFromNumber(5),
  version: 2,
  sizeBytes: 3,
  sha256: "0".repeat(64),
  mediaType: "video/mp4",
  modifiedAtMs: 4,
};

/** Something that answers as /healthz of a storage does, with a count of how often it did. */
function healthy() {
  let asked = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      asked++;
      return new Response(null, { status: request.url.endsWith("/healthz") ? 200 : 404 });
    },
  });
  return {
    dataUrl: server.url.origin,
    asked: () => asked,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

/** Accepts connections and says nothing, as a process that was stopped does. */
function hanging() {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return {
    dataUrl: `http://127.0.0.1:${server.port}`,
    [Symbol.dispose]: () => server.stop(true),
  };
}

/** An address where nobody listens. */
function dead() {
  using server = hanging();
  return { dataUrl: server.dataUrl };
}

function addressOf(n: number, { dataUrl }: { dataUrl: string }): StorageAddress {
  return { storageId: `s${n}`, dataUrl, publicUrl: `https://s${n}.example.org/below/` };
}

describe("a redirect", () => {
  async function redirect(grant: ReadGrant, download = false) {
    using storage = healthy();
    const location = {
      group: "g1",
      storages: [addressOf(1, storage)],
      capability: "the tracker's",
      expiresAtMs: 0,
      file,
    };
    const redirector = new Redirector({
      secret,
      ttlMs,
      health: new StorageHealth(),
      now: () => nowMs,
    });
    const response = await redirector.respond({ file, location }, grant, download);
    const url = response.headers.get("location") ?? "";
    const { query } = parseMediaTarget(url.replace("/below", ""));
    const claims = openCapability(secret, query.get("capability") ?? "", nowMs);
    return { response, url, query, claims };
  }

  test("names the public URL of the storage, and exactly the bytes that were asked for", async () => {
    const { response, url, query, claims } = await redirect(open);
    expect([response.status, response.headers.get("cache-control")]).toEqual([307, "no-store"]);
    expect(url).toStartWith("https://s1.example.org/below/media/ann/film/%C3%A4%20b%3F.mp4?");
    expect([...query.keys()]).toEqual(["capability"]);
    expect(claims).toEqual({
      intent: "read",
      user: "ann",
      group: "g1",
      fileId: file.fileId,
      file,
      expiresAtMs: nowMs + ttlMs,
      isWatched: true,
      isPublic: true,
    });
  });

  test("carries on what the reader may do, and for how long", async () => {
    const { query, claims } = await redirect(
      {
        isPrivate: true,
        downloadOnly: true,
        clientAddress: "192.0.2.1",
        expiresAtMs: nowMs + 5_000,
      },
      true,
    );
    expect(query.get("download")).toBe("1");
    expect(claims).toMatchObject({
      downloadOnly: true,
      clientAddress: "192.0.2.1",
      expiresAtMs: nowMs + 5_000,
    });
    expect(claims.isPublic).toBeUndefined();
    const long = await redirect({ ...open, expiresAtMs: nowMs + ttlMs + 1 });
    expect(long.claims.expiresAtMs).toBe(nowMs + ttlMs);
  });

  test("is none when no storage answers", async () => {
    const location = {
      group: "g1",
      storages: [addressOf(1, dead())],
      capability: "",
      expiresAtMs: 0,
    };
    const redirector = new Redirector({ secret, ttlMs, health: new StorageHealth() });
    await expect(redirector.respond({ file, location }, open, false)).rejects.toMatchObject({
      code: "GROUP_UNAVAILABLE",
      retryable: true,
    });
  });
});

describe("the first storage that is up", () => {
  test("is the first in the order given, asked once however many want to know", async () => {
    using first = healthy();
    using second = healthy();
    const health = new StorageHealth();
    const storages = [addressOf(1, first), addressOf(2, second)];
    const found = await Promise.all(Array.from({ length: 50 }, () => health.firstUp(storages)));
    expect(new Set(found.map((it) => it?.storageId))).toEqual(new Set(["s1"]));
    expect([first.asked(), second.asked()]).toEqual([1, 1]);
  });

  test("is none that is dead, hangs, or is something else", async () => {
    using live = healthy();
    using stopped = hanging();
    using other = Bun.serve({ port: 0, fetch: () => new Response(null, { status: 500 }) });
    const elsewhere = Bun.serve({ port: 0, fetch: () => Response.redirect(live.dataUrl) });
    const health = new StorageHealth();
    const bad = [
      dead(),
      stopped,
      { dataUrl: other.url.origin },
      { dataUrl: elsewhere.url.origin },
    ].map((it, n) => addressOf(n, it));
    expect(await health.firstUp(bad)).toBeUndefined();
    expect((await health.firstUp([...bad, addressOf(9, live)]))?.storageId).toBe("s9");
    await elsewhere.stop(true);
  });
});

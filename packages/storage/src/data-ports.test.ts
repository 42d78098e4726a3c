import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Catalog, migrateCatalog, openCatalog } from "@dsm/catalog";
import { servingPolicy, StopNotice } from "@dsm/delivery";
import { silentLog } from "@dsm/log";
import {
  blobIdFromNumber,
  type CapabilityClaims,
  clusterSecret,
  type FileInfo,
  mediaPath,
  signCapability,
} from "@dsm/protocol";
import { jsonOf, makeCertificate, tempDir } from "@dsm/testkit";
import { BlobStore } from "./blob-store.ts";
import { Committer } from "./committer.ts";
import { DamageMarks } from "./damage-marks.ts";
import { DataPorts, type DataPortsOptions, assertReachable } from "./data-ports.ts";
import { FileCommits } from "./file-commits.ts";
import { FileWrites } from "./file-writes.ts";
import { claimGroupRoot } from "./group-root.ts";
import { RootWatch } from "./root-watch.ts";
import { IdLease } from "./id-lease.ts";
import { Journal } from "@dsm/journal";
import { openGroupSync } from "./sync/open-group-sync.ts";
import { Maintenance } from "./maintenance-app.ts";
import { StorageMetrics } from "./metrics.ts";
import { assertMayScrape } from "./metrics-access.ts";
import { TrashBin } from "./trash-bin.ts";
import { WatchedFiles } from "./watched-files.ts";

const secret = clusterSecret("5".repeat(64));
const loopback = "127.0.0.1";

/** Both ports of a storage over a real catalog, journal and disk. */
async function openPorts(
  stack: AsyncDisposableStack,
  options: Partial<DataPortsOptions> = {},
): Promise<[DataPorts, Catalog]> {
  const { path: root } = stack.use(await tempDir());
  const url = `sqlite:${join(root, "catalog.db")}`;
  await migrateCatalog(url);
  const catalog = stack.use(await openCatalog(url));
  await catalog.assignGroup("ann", "g1", 1);
  const journal = stack.use(await Journal.open(root, "s1", "life"));
  let next = 1;
  const lease = (count: number) =>
    Promise.resolve({ first: blobIdFromNumber((next += count) - count), count });
  const ids = new IdLease({ lease }, 16);
  await claimGroupRoot({ root, group: "g1", catalog });
  const place = { root, group: "g1", log: silentLog, apart: () => undefined };
  const mount = stack.use(await RootWatch.open({ ...place, onGone: () => {} }));
  const sync = stack.use(await openGroupSync(root, "auto", silentLog));
  const committer = new Committer({ journal, catalog, sync });
  const commits = new FileCommits({ catalog, committer });
  const blobs = new BlobStore(root, sync);
  const ports = await DataPorts.open(
    {
      hostname: loopback,
      port: 0,
      publicListen: { hostname: loopback, port: 0 },
      log: silentLog,
      ...options,
    },
    {
      root,
      group: "g1",
      secret,
      writes: new FileWrites({ group: "g1", catalog, blobs, ids, committer }),
      trash: new TrashBin({ root, group: "g1", catalog, blobs, ids, commits }),
      policy: servingPolicy({ cacheControl: "public, max-age=60" }),
      maintenance: new Maintenance({ group: "g1", secret, jobs: {}, onFault: () => {} }),
      metrics: new StorageMetrics(() => 0),
      metricsKey: "the-metrics-key",
      mount,
      stopping: new StopNotice({}),
      marks: new DamageMarks({ group: "g1", catalog, log: silentLog }),
      watched: new WatchedFiles({ catalog, trashGraceMs: 0 }),
      current: async (user, fileId) => (await catalog.current(user, fileId))?.file,
      admitWrite: () => {},
    },
  );
  stack.defer(() => ports.kill());
  return [ports, catalog];
}

function token(over: Partial<CapabilityClaims> = {}): string {
  const expiresAtMs = Date.now() + 60_000;
  return signCapability(secret, { intent: "read", user: "ann", group: "g1", expiresAtMs, ...over });
}

const bearer = (capability: string) => ({ Authorization: `Bearer ${capability}` });

describe("a storage with a port of its own for the public", () => {
  const stack = new AsyncDisposableStack();
  let ports: DataPorts;
  let file: FileInfo;

  beforeAll(async () => {
    [ports] = await openPorts(stack);
    const put = await ask(ports.dataUrl, "PUT", {
      body: "hello",
      headers: bearer(token({ intent: "write" })),
    });
    expect(put.status).toBe(201);
    file = await jsonOf<FileInfo>(put);
  });
  afterAll(() => stack.disposeAsync());

  function ask(base: string, method: string, init: RequestInit & { query?: string } = {}) {
    return fetch(`${base}${mediaPath("ann", "ä b.mp4")}${init.query ?? ""}`, { ...init, method });
  }

  async function outcome(answer: Promise<Response>): Promise<string> {
    const response = await answer;
    return response.ok
      ? `${response.status} ${await response.text()}`
      : `${response.status} ${(await jsonOf(response)).code}`;
  }

  test("reads on both by a capability in the header or in the URL", async () => {
    expect(ports.publicUrl).toBe(`http://${loopback}:${ports.publicPort}`);
    expect(ports.publicPort).not.toBe(ports.port);
    for (const base of [ports.dataUrl, ports.publicUrl]) {
      expect(await outcome(ask(base, "GET", { headers: bearer(token()) }))).toBe("200 hello");
      expect(await outcome(ask(base, "GET", { query: `?capability=${token()}` }))).toBe(
        "200 hello",
      );
      const query = `?capability=${token({ fileId: file.fileId, file, isWatched: true })}`;
      const part = await ask(base, "GET", { query, headers: { Range: "bytes=1-2" } });
      expect([part.status, await part.text()]).toEqual([206, "el"]);
      const head = await ask(base, "HEAD", { query });
      expect([head.status, head.headers.get("content-length")]).toEqual([200, "5"]);
    }
  });

  test("says why it refuses", async () => {
    const good = token();
    const inUrl = (capability: string) =>
      ask(ports.publicUrl, "GET", { query: `?capability=${capability}` });
    expect(await outcome(ask(ports.publicUrl, "GET"))).toBe("401 UNAUTHENTICATED");
    expect(await outcome(inUrl(""))).toBe("403 FORBIDDEN");
    expect(await outcome(inUrl(`${good.slice(0, -2)}xx`))).toBe("403 FORBIDDEN");
    expect(await outcome(inUrl(token({ expiresAtMs: Date.now() - 1 })))).toBe("403 FORBIDDEN");
    expect(await outcome(inUrl(token({ fileId: "other.mp4" })))).toBe("403 FORBIDDEN");
    expect(await outcome(inUrl(token({ user: "bob" })))).toBe("403 FORBIDDEN");
    expect(await outcome(inUrl(token({ group: "g2" })))).toBe("403 FORBIDDEN");
    expect(await outcome(inUrl(token({ intent: "write" })))).toBe("403 FORBIDDEN");
    expect(await outcome(inUrl(token({ clientAddress: "192.0.2.7" })))).toBe("403 FORBIDDEN");
    expect(await outcome(inUrl(token({ clientAddress: loopback })))).toBe("200 hello");
    expect(await outcome(inUrl(`${good}&capability=${good}`))).toBe("400 BAD_REQUEST");
    const both = { query: `?capability=${good}`, headers: bearer(good) };
    expect(await outcome(ask(ports.publicUrl, "GET", both))).toBe("400 BAD_REQUEST");
  });

  test("changes nothing on the public port, and nothing by a URL alone", async () => {
    for (const [method, intent] of [
      ["PUT", "write"],
      ["DELETE", "delete"],
    ] as const) {
      const capability = token({ intent });
      const refused = await ask(ports.publicUrl, method, { headers: bearer(capability) });
      expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
      const query = `?capability=${capability}`;
      expect(await outcome(ask(ports.dataUrl, method, { query }))).toBe("401 UNAUTHENTICATED");
    }
    expect(await outcome(ask(ports.dataUrl, "GET", { headers: bearer(token()) }))).toBe(
      "200 hello",
    );
  });

  test("keeps to what the capability says of downloads and caches", async () => {
    const headersOf = async (over: Partial<CapabilityClaims>, more = "") => {
      const query = `?capability=${token(over)}${more}`;
      const { headers } = await ask(ports.publicUrl, "GET", { query });
      const [disposition] = (headers.get("content-disposition") ?? "").split(";");
      return [disposition, headers.get("cache-control")];
    };
    expect(await headersOf({})).toEqual(["inline", "private, no-cache"]);
    expect(await headersOf({ isPublic: true })).toEqual(["inline", "public, max-age=60"]);
    expect(await headersOf({}, "&download=1")).toEqual(["attachment", "private, no-cache"]);
    expect(await headersOf({ downloadOnly: true }, "&download=0")).toEqual([
      "attachment",
      "private, no-cache",
    ]);
  });

  test("a redirected reader of a deleted file is told; one who reads on for a gateway is not", async () => {
    const put = { body: "short-lived", headers: bearer(token({ intent: "write" })) };
    const path = `${ports.dataUrl}${mediaPath("ann", "gone")}`;
    const gone = await jsonOf<FileInfo>(await fetch(path, { ...put, method: "PUT" }));
    const pinned = { fileId: gone.fileId, file: gone };
    await fetch(path, { method: "DELETE", headers: bearer(token({ intent: "delete" })) });
    const redirected = `${path}?capability=${token({ ...pinned, isWatched: true })}`;
    expect(await outcome(fetch(redirected))).toBe("404 FILE_NOT_FOUND");
    expect(await outcome(fetch(path, { headers: bearer(token(pinned)) }))).toBe("200 short-lived");
  });
});

test("metrics are for who has the key, on the data port alone", async () => {
  await using stack = new AsyncDisposableStack();
  const [ports] = await openPorts(stack);
  const ask = (base: string, headers = {}) => fetch(`${base}/metrics`, { headers });
  expect((await ask(ports.dataUrl)).status).toBe(401);
  expect((await ask(ports.dataUrl, bearer("another"))).status).toBe(403);
  const shown = await ask(ports.dataUrl, { Authorization: "Bearer the-metrics-key" });
  expect(await shown.text()).toContain("dsm_storage_damaged_files 0\n");
  expect((await ask(ports.publicUrl)).status).toBe(404);
  const request = new Request("http://h/metrics");
  for (const own of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
    assertMayScrape(undefined, request, own);
  }
  expect(() => assertMayScrape(undefined, request, "10.0.0.7")).toThrow(
    expect.objectContaining({ code: "FORBIDDEN" }),
  );
});

test("a port that is taken leaves no other one open", async () => {
  await using stack = new AsyncDisposableStack();
  const [ports] = await openPorts(stack);
  using probe = Bun.listen({ hostname: loopback, port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  const publicListen = { hostname: loopback, port: ports.port };
  const options = { hostname: loopback, port, publicListen, log: silentLog };
  await expect(DataPorts.open(options, {} as never)).rejects.toMatchObject({
    code: "ADDRESS_IN_USE",
  });
  using again = Bun.listen({ hostname: loopback, port, socket: { data() {} } });
  expect(again.port).toBe(port);
});

describe("a storage that listens everywhere", () => {
  const everywhere = { hostname: "0.0.0.0", port: 7800 };
  const base: DataPortsOptions = { hostname: loopback, port: 7800, log: silentLog };

  test.each([
    [{ ...base, ...everywhere }, "--data-url"],
    [{ ...base, publicListen: { ...everywhere, hostname: "::" } }, "--public-url"],
  ])("has to say where it is reached: %#", (options, flag) => {
    expect(() => assertReachable(options)).toThrow(
      expect.objectContaining({ code: "BAD_CONFIG", remedy: expect.stringContaining(flag) }),
    );
    const dataUrl = "http://10.0.0.5:7800";
    assertReachable({ ...options, dataUrl, publicUrl: "https://s1.example.org" });
  });
});

test("TLS is on the public port, and on the data port where that is the only one", async () => {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await tempDir());
  const { cert, key } = makeCertificate();
  const tls = { tlsCert: `${path}/cert.pem`, tlsKey: `${path}/key.pem` };
  await Bun.write(tls.tlsCert, cert);
  await Bun.write(tls.tlsKey, key);
  const trusting = { tls: { ca: cert } };
  const [both] = await openPorts(stack, tls);
  expect(both.dataUrl).toStartWith("http://");
  expect(both.publicUrl).toStartWith("https://");
  expect((await fetch(`${both.publicUrl}/healthz`, trusting)).status).toBe(200);
  const [single] = await openPorts(stack, { ...tls, publicListen: undefined });
  expect([single.dataUrl, single.publicUrl]).toEqual([single.dataUrl, single.dataUrl]);
  expect(single.dataUrl).toStartWith("https://");
  expect((await fetch(`${single.dataUrl}/healthz`, trusting)).status).toBe(200);
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bytesSource, DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { silentLog } from "@dsm/log";
import { clusterSecret, DsmError, mediaPath, signCapability } from "@dsm/protocol";
import { RpcClient } from "@dsm/rpc";
import { startStorage } from "@dsm/storage";
import { jsonOf, tempDir } from "@dsm/testkit";

const foreignSecret = "f".repeat(64);

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: unknown) => (error instanceof DsmError ? error.code : String(error)),
  );
}

describe("without the cluster's secret", () => {
  let stack: AsyncDisposableStack;
  let cluster: Cluster;
  let dataUrl: string;

  beforeAll(async () => {
    stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    cluster = stack.use(await startCluster({ dataDir: dir.path, storages: 1 }));
    await using client = cluster.client();
    await client.upload({ user: "ann", fileId: "f", source: bytesSource(new Uint8Array(9)) });
    dataUrl = cluster.storages[0]!.running.dataUrl;
  });
  afterAll(() => stack.disposeAsync());

  test("nobody locates, lists or asks for the status", async () => {
    await using stranger = new DsmClient({
      trackers: cluster.trackerEndpoints,
      secret: foreignSecret,
    });
    const codes = await Promise.all([
      codeOf(stranger.stat("ann", "f")),
      codeOf(stranger.list({ user: "ann", limit: 1 })),
      codeOf(stranger.status()),
      codeOf(stranger.open({ user: "ann", fileId: "f" })),
    ]);
    expect(codes).toEqual(["FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"]);
  });

  test("nobody leases ids", async () => {
    const endpoint = cluster.ids[0]!.endpoint;
    const secret = clusterSecret(foreignSecret);
    const stranger = new RpcClient({ endpoint, role: "storage", secret });
    expect(await codeOf(stranger.call("lease", { count: 1 }))).toBe("FORBIDDEN");
    stranger.close();
  });

  test("a storage does not join", async () => {
    await using _stranger = await startStorage({
      id: "stranger",
      group: "g1",
      root: cluster.groupRoot("g1"),
      hostname: "127.0.0.1",
      port: 0,
      trackers: cluster.trackerEndpoints,
      idServers: cluster.ids.map((server) => server.endpoint),
      secret: clusterSecret(foreignSecret),
      catalog: cluster.catalog,
      leaseIds: 1,
      reserveBytes: 0,
      trashGraceMs: 1e9,
      reapIntervalMs: 1e9,
      log: silentLog,
    });
    await using client = cluster.client();
    const seen = await client.statusAll();
    const names = seen.flatMap(({ response }) =>
      (response?.groups ?? []).flatMap((group) => group.members.map((m) => m.storageId)),
    );
    expect(new Set(names)).toEqual(new Set(["g1-s1"]));
  });

  test("the data port serves and accepts nothing", async () => {
    const url = new URL(mediaPath("ann", "f"), dataUrl);
    const claims = { user: "ann", group: "g1", expiresAtMs: Date.now() + 60_000 };
    const forged = signCapability(clusterSecret(foreignSecret), { ...claims, intent: "read" });
    const genuine = (over: object) =>
      signCapability(clusterSecret(cluster.secret), { ...claims, intent: "read", ...over });
    const ask = async (capability: string | undefined, method = "GET") => {
      const headers = new Headers(
        capability === undefined ? {} : { Authorization: `Bearer ${capability}` },
      );
      const body = method === "PUT" ? "x" : null;
      const response = await fetch(url, { method, headers, body });
      return [response.status, response.ok ? "" : (await jsonOf(response)).code];
    };
    expect(await ask(undefined)).toEqual([401, "UNAUTHENTICATED"]);
    expect(await ask(undefined, "PUT")).toEqual([401, "UNAUTHENTICATED"]);
    expect(await ask(forged)).toEqual([403, "FORBIDDEN"]);
    expect(await ask(genuine({}), "PUT")).toEqual([403, "FORBIDDEN"]);
    expect(await ask(genuine({}), "DELETE")).toEqual([403, "FORBIDDEN"]);
    expect(await ask(genuine({ user: "bob" }))).toEqual([403, "FORBIDDEN"]);
    expect(await ask(genuine({ group: "g2" }))).toEqual([403, "FORBIDDEN"]);
    expect(await ask(genuine({ fileId: "other" }))).toEqual([403, "FORBIDDEN"]);
    expect(await ask(genuine({ expiresAtMs: Date.now() - 1 }))).toEqual([403, "FORBIDDEN"]);
    expect(await ask(genuine({}))).toEqual([200, ""]);
  });
});

describe("a gateway that others than this machine can reach", () => {
  test("does not start without a key, and with one asks for it", async () => {
    await using dir = await tempDir();
    const open = { dataDir: dir.path, http: { hostname: "0.0.0.0", port: 0 } };
    const refused = await startCluster(open).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(DsmError);
    expect((refused as DsmError).code).toBe("BAD_CONFIG");
    await using cluster = await startCluster({ ...open, writeKey: "the-write-key" });
    const url = `http://127.0.0.1:${cluster.gateway.running.port}/media/ann/f`;
    const put = async (authorization?: string) => {
      const headers = new Headers(authorization === undefined ? {} : { authorization });
      return (await fetch(url, { method: "PUT", body: "x", headers })).status;
    };
    expect(await put()).toBe(401);
    expect(await put("Bearer another-key")).toBe(403);
    expect(await put("Bearer the-write-key")).toBe(201);
    expect((await fetch(url)).status).toBe(200);
    expect((await fetch(url, { method: "DELETE" })).status).toBe(401);
    const listed = await fetch(new URL("/api/v1/files?user=ann", url));
    expect(listed.status).toBe(401);
  });
});

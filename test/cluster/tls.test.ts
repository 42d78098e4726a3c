import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { bytesSource } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { startGateway } from "@dsm/gateway";
import { type Certificate, makeCertificate, missingTools, tempDir, until } from "@dsm/testkit";
import { silentLog } from "@dsm/log";

setDefaultTimeout(60_000);

const missing = missingTools("curl", "wget");
const why = missing === undefined ? "" : ` (skipped: ${missing})`;
const sizeBytes = 64 * 1024 * 1024;
const content = Buffer.alloc(sizeBytes, crypto.getRandomValues(new Uint8Array(65_521)));
const sha256 = Bun.SHA256.hash(content, "hex");

interface Tools {
  readonly authority: string;
}

/** curl as a user runs it, who trusts the certificate of the cluster and no other. */
async function curl({ authority }: Tools, ...args: string[]) {
  const command = ["curl", "-sS", "--cacert", authority, "--max-time", "50", ...args];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "ignore" });
  const [out, exitCode] = await Promise.all([child.stdout.bytes(), child.exited]);
  return { out: Buffer.from(out), exitCode };
}

async function headOf(tools: Tools, ...args: string[]): Promise<Map<string, string>> {
  const { out } = await curl(tools, "-D", "-", "-o", "/dev/null", ...args);
  const [status = "", ...lines] = out.toString().trim().split("\r\n");
  const fields = lines.map((line) => line.split(": ", 2) as [string, string]);
  const named = fields.map(([name, value]) => [name.toLowerCase(), value] as const);
  return new Map([["", status.trim()], ...named]);
}

describe.skipIf(missing !== undefined).each(["local", "proxy"] as const)(
  `TLS, delivery %s${why}`,
  (delivery) => {
    const stack = new AsyncDisposableStack();
    let folder = "";
    let cluster: Cluster;
    let tools: Tools;

    beforeAll(async () => {
      folder = stack.use(await tempDir()).path;
      const paths = await writePair(folder, makeCertificate());
      tools = { authority: paths.tlsCert };
      const options = { dataDir: `${folder}/data`, delivery, heartbeatIntervalMs: 100 };
      cluster = stack.use(await startCluster({ ...options, ...paths, hotCacheBytes: 0 }));
      await Bun.write(`${folder}/sent`, content);
    });
    afterAll(() => stack.disposeAsync());

    test("the gateway is at an https URL", () => {
      expect(cluster.http).toStartWith("https://");
    });

    test.each(["--http2", "--http1.1"])("a file goes in and out whole (%s)", async (version) => {
      const url = `${cluster.http}/media/ann/${delivery}${version}.bin`;
      const args = [version, "-T", `${folder}/sent`, "-o", "/dev/null", "-w", "%{http_code}"];
      expect((await curl(tools, ...args, url)).out.toString()).toBe("201");
      const { out, exitCode } = await curl(tools, version, url);
      expect([exitCode, Bun.SHA256.hash(out, "hex")]).toEqual([0, sha256]);
      const get = await headOf(tools, version, url);
      const head = await headOf(tools, version, "-I", url);
      expect(get.get("content-length")).toBe(`${sizeBytes}`);
      expect(get.get("")).toBe(version === "--http2" ? "HTTP/2 200" : "HTTP/1.1 200 OK");
      for (const name of ["date", "keep-alive", "connection"]) {
        get.delete(name);
        head.delete(name);
      }
      expect(head).toEqual(get);
      const part = await curl(tools, version, "-r", "65520-131080", url);
      expect(part.out.equals(content.subarray(65_520, 131_081))).toBe(true);
      const range = await headOf(tools, version, "-r", "-5", url);
      expect(range.get("content-length")).toBe("5");
      expect(range.get("content-range")).toBe(
        `bytes ${sizeBytes - 5}-${sizeBytes - 1}/${sizeBytes}`,
      );
    });

    test("wget takes it and goes on where it was cut", async () => {
      await upload(cluster, "wget");
      await Bun.write(`${folder}/got`, content.subarray(0, 1_000_000));
      const ca = `--ca-certificate=${tools.authority}`;
      const url = `${cluster.http}/media/ann/wget`;
      const child = Bun.spawn(["wget", "-q", ca, "-c", "-O", `${folder}/got`, url]);
      expect(await child.exited).toBe(0);
      expect(Bun.SHA256.hash(await Bun.file(`${folder}/got`).bytes(), "hex")).toBe(sha256);
    });

    test.each(["--http2", "--http1.1"])(
      "an upload that is killed is no file (%s)",
      async (version) => {
        const url = `${cluster.http}/media/ann/killed${version}`;
        const args = ["-sS", version, "--cacert", tools.authority, "-T", "-", url];
        const child = Bun.spawn(["curl", ...args], { stdin: "pipe", stderr: "ignore" });
        void child.stdin.write(content.subarray(0, 8_000_000));
        await child.stdin.flush();
        const busy = () => cluster.storages.some((it) => it.running.activeRequests > 0);
        await until("a storage takes it", busy);
        child.kill("SIGKILL");
        await until("it is over", () => !busy());
        expect((await headOf(tools, url)).get("")).toBe("HTTP/2 404");
      },
    );

    if (delivery === "proxy") {
      test("a storage that is killed in mid-body is no gap over HTTP/2", async () => {
        await upload(cluster, "failover");
        const limited = ["--http2", "--limit-rate", "40M"];
        const reading = curl(tools, ...limited, `${cluster.http}/media/ann/failover`);
        const busy = () => cluster.storages.find((it) => it.running.activeRequests > 0);
        const victim = await until("a storage gives it", busy);
        await victim.kill();
        const { out, exitCode } = await reading;
        expect([exitCode, Bun.SHA256.hash(out, "hex")]).toEqual([0, sha256]);
        await victim.start();
      });

      test("when nobody can give the rest the body is broken off", async () => {
        await upload(cluster, "lost");
        // Slow, so that it is under way for as long as it takes to kill two.
        const limited = ["--http2", "--limit-rate", "4M"];
        const reading = curl(tools, ...limited, `${cluster.http}/media/ann/lost`);
        await until("a storage gives it", () =>
          cluster.storages.some((it) => it.running.activeRequests > 0),
        );
        for (const storage of cluster.storages) await storage.kill();
        const { out, exitCode } = await reading;
        expect(exitCode).not.toBe(0);
        expect(out.length).toBeLessThan(sizeBytes);
        for (const storage of cluster.storages) await storage.start();
      });
    }
  },
);

describe("HTTP/3", () => {
  const byH3 = (url: string, init: RequestInit = {}) =>
    fetch(url, { ...init, protocol: "h3", tls: { rejectUnauthorized: false } });

  test("gives what is mounted and sends what must be proxied back to TCP", async () => {
    await using dir = await tempDir();
    const paths = await writePair(dir.path, makeCertificate());
    const dataDir = `${dir.path}/data`;
    const options = { ...paths, http3: true, hotCacheBytes: 0 };
    await using cluster = await startCluster({ dataDir, delivery: "local", ...options });
    await upload(cluster, "f");
    const mounted = await byH3(`${cluster.http}/media/ann/f`);
    expect([mounted.status, mounted.headers.get("content-length")]).toEqual([200, `${sizeBytes}`]);
    expect(Bun.SHA256.hash(await mounted.bytes(), "hex")).toBe(sha256);
    const part = await byH3(`${cluster.http}/media/ann/f`, { headers: { range: "bytes=7-9" } });
    expect([part.status, part.headers.get("content-length")]).toEqual([206, "3"]);
    await using proxying = await startGateway({
      hostname: "127.0.0.1",
      port: 0,
      ...options,
      trackers: cluster.trackerEndpoints,
      secret: cluster.secret,
      delivery: "proxy",
      mounts: new Map(),
      freshnessMs: 0,
      outageGraceMs: 0,
      hotFileMaxBytes: 0,
      log: silentLog,
    });
    const proxied = await byH3(`${proxying.url}/media/ann/f`);
    expect([proxied.status, proxied.headers.get("cache-control")]).toEqual([421, "no-store"]);
    expect(await proxied.json()).toMatchObject({ code: "MISDIRECTED" });
    // A HEAD has no body to lose, and an upload comes in whole.
    const head = await byH3(`${proxying.url}/media/ann/f`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, `${sizeBytes}`]);
    const sent = await byH3(`${proxying.url}/media/ann/h3`, { method: "PUT", body: content });
    expect([sent.status, sent.headers.get("etag")]).toEqual([201, `"${sha256}"`]);
  });
});

test("a gateway tells of a certificate that cannot be used before it listens", async () => {
  await using dir = await tempDir();
  const paths = await writePair(dir.path, makeCertificate());
  const start = startCluster({ dataDir: dir.path, tlsCert: paths.tlsKey, tlsKey: paths.tlsCert });
  await expect(start).rejects.toMatchObject({ code: "BAD_CONFIG" });
  const lacking = startCluster({ dataDir: dir.path, tlsCert: paths.tlsCert });
  await expect(lacking).rejects.toMatchObject({ code: "BAD_CONFIG" });
});

async function writePair(folder: string, { cert, key }: Certificate) {
  const paths = { tlsCert: `${folder}/cert.pem`, tlsKey: `${folder}/key.pem` };
  await Bun.write(paths.tlsCert, cert);
  await Bun.write(paths.tlsKey, key);
  return paths;
}

async function upload(cluster: Cluster, fileId: string): Promise<void> {
  await using client = cluster.client();
  await client.upload({ user: "ann", fileId, source: bytesSource(content) });
}

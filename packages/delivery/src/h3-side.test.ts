import { describe, expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import { type Certificate, makeCertificate, tempDir, until } from "@dsm/testkit";
import type { FetchHandler } from "./engine.ts";
import { type HttpServerOptions, serveHttp } from "./http-server.ts";
import { curl } from "./testing/curl.ts";
import { changingPair, fixedPair } from "./testing/tls-pairs.ts";
import { streamOf } from "./testing/stream-of.ts";

const mebi = 1024 * 1024;
const tls = fixedPair();

const serve = (fetch: FetchHandler, options: Partial<HttpServerOptions> = {}) => {
  const address = { hostname: "127.0.0.1", port: 0 };
  return serveHttp({ engine: "stream", tls, http3: true, ...address, fetch, ...options });
};

const byH3 = (url: string, init: RequestInit = {}) =>
  fetch(url, { ...init, protocol: "h3", tls: { rejectUnauthorized: false } });

const never = () => new Promise<void>(() => {});

describe("HTTP/3", () => {
  test("is announced by TCP, with the same port", async () => {
    await using server = await serve((request, info) =>
      Response.json([request.url, info.remoteAddress, info.keepsLength]),
    );
    for (const version of ["--http2", "--http1.1"]) {
      const { headers } = await curl(version, server.url);
      expect(headers["alt-svc"]).toEqual([`h3=":${server.port}"; ma=3600`]);
    }
    const answer = await byH3(`${server.url}/a?b`);
    expect(answer.headers.get("alt-svc")).toBeNull();
    expect(await answer.json()).toEqual([`${server.url}/a?b`, "127.0.0.1", false]);
  });

  test("is not there unless it is asked for", async () => {
    const address = { hostname: "127.0.0.1", port: 0 };
    const fetch = () => new Response("fine");
    await using server = await serveHttp({ engine: "stream", tls: fixedPair(), ...address, fetch });
    expect((await curl("--http2", server.url)).headers["alt-svc"]).toBeUndefined();
  });

  test("gives files with their length, whole and in part, and HEAD", async () => {
    await using dir = await tempDir();
    const path = `${dir.path}/blob`;
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    await Bun.write(path, bytes);
    await using server = await serve(({ method, url }) => {
      const headers = { "content-length": "60000", etag: '"e"', "content-disposition": "inline" };
      if (method === "HEAD") return new Response(null, { headers });
      if (url.endsWith("/whole")) return new Response(Bun.file(path).slice(0, 60_001), { headers });
      return new Response(Bun.file(path).slice(5, 10), { status: 206 });
    });
    const whole = await byH3(`${server.url}/whole`);
    expect([whole.status, whole.headers.get("content-length")]).toEqual([200, "60000"]);
    expect([whole.headers.get("etag"), whole.headers.get("content-disposition")]).toEqual([
      '"e"',
      "inline",
    ]);
    expect(await whole.bytes()).toEqual(bytes);
    const part = await byH3(`${server.url}/part`);
    expect([part.status, part.headers.get("content-length")]).toEqual([206, "5"]);
    expect(await part.bytes()).toEqual(bytes.subarray(5, 10));
    const head = await byH3(server.url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "60000"]);
  });

  test("sends back to TCP what would lose its length: an empty file", async () => {
    await using server = await serve(
      () => new Response(null, { headers: { "content-length": "0" } }),
    );
    const answer = await byH3(server.url);
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([421, "no-store"]);
    expect(await answer.json()).toMatchObject({ code: "MISDIRECTED" });
    const byTcp = await curl("--http2", server.url);
    expect([byTcp.status, byTcp.headers["content-length"]]).toEqual([200, ["0"]]);
  });

  // When Bun keeps lengths and tells of failures, MISDIRECTED can go.
  test("loses the length of streams and ends a broken one as if it were whole", async () => {
    await using server = await serve(() => {
      const body = streamOf(async function* () {
        for (const text of ["hel", "lo"]) {
          yield Buffer.from(text);
          await Bun.sleep(20);
        }
        throw new Error("the disk is gone");
      });
      return new Response(body, { headers: { "content-length": "10" } });
    });
    const answer = await byH3(server.url);
    expect(answer.headers.get("content-length")).toBeNull();
    expect(await answer.text()).toBe("hello");
  });

  test("answers what a handler throws", async () => {
    await using server = await serve(() => {
      throw new DsmError("FILE_NOT_FOUND", "no such file");
    });
    const answer = await byH3(server.url);
    expect([answer.status, await answer.json()]).toMatchObject([404, { code: "FILE_NOT_FOUND" }]);
  });

  test("takes uploads, and one that is cut never ends as whole", async () => {
    const ends: string[] = [];
    let readBytes = 0;
    await using server = await serve(
      async (request) => {
        try {
          for await (const chunk of request.body ?? []) readBytes += chunk.length;
          ends.push("whole");
        } catch {
          ends.push("cut");
        }
        return new Response(`${readBytes}`);
      },
      { idleTimeoutS: 2 },
    );
    const body = new Uint8Array(3 * mebi);
    const whole = await byH3(server.url, { method: "PUT", body });
    expect([await whole.text(), ends]).toEqual([`${body.length}`, ["whole"]]);
    const endless = (then: () => Promise<void>) =>
      streamOf(async function* () {
        const before = readBytes;
        yield new Uint8Array(65_536);
        await until("bytes arrive", () => readBytes > before);
        await then();
      });
    // Its source fails, its request is aborted, and its process is killed.
    const failing = endless(() => Promise.reject(new Error("the disk is gone")));
    await expect(byH3(server.url, { method: "PUT", body: failing })).rejects.toThrow();
    await until("the first is told", () => ends.length === 2);
    const abort = new AbortController();
    const { signal } = abort;
    const aborted = byH3(server.url, { method: "PUT", body: endless(never), signal });
    const before = readBytes;
    await until("bytes arrive", () => readBytes > before);
    abort.abort();
    await expect(aborted).rejects.toThrow();
    await until("the second is told", () => ends.length === 3);
    const start = readBytes;
    const client = Bun.spawn([process.execPath, "-e", uploader(server.url)], { stdout: "ignore" });
    await until("bytes arrive", () => readBytes > start);
    client.kill("SIGKILL");
    // Over UDP nobody tells that a process is gone; its silence does.
    await until("the third is told", () => ends.length === 4);
    expect(ends).toEqual(["whole", "cut", "cut", "cut"]);
  });

  test("opens anew with a renewed certificate, when answers under way have ended", async () => {
    const [old, renewed] = [makeCertificate(), makeCertificate()];
    const pair = changingPair(old);
    const finish = Promise.withResolvers<void>();
    let asked = 0;
    await using server = await serve(
      async ({ url }) => {
        asked++;
        if (url.endsWith("/slow")) await finish.promise;
        return new Response("fine");
      },
      { tls: pair },
    );
    const slow = byH3(`${server.url}/slow`);
    await until("it is under way", () => asked === 1);
    pair.change(renewed);
    // Meanwhile it is not announced, and who knows of it already is sent to TCP.
    await until("it is silent", async () => {
      return (await curl("--http2", server.url)).headers["alt-svc"] === undefined;
    });
    expect((await byH3(server.url)).status).toBe(421);
    finish.resolve();
    expect(await (await slow).text()).toBe("fine");
    await until("it is announced again", async () => {
      return (await curl("--http2", server.url)).headers["alt-svc"] !== undefined;
    });
    expect(await trusts(renewed, server.url)).toBe(true);
    expect(await trusts(old, server.url)).toBe(false);
  });

  test("drains with the rest, and then the port is free", async () => {
    const finish = Promise.withResolvers<void>();
    let asked = 0;
    const server = await serve(async () => {
      asked++;
      await finish.promise;
      return new Response("fine");
    });
    const underWay = byH3(server.url);
    await until("it is under way", () => asked === 1);
    expect(server.activeRequests).toBe(1);
    const drained = server.drain(15_000);
    finish.resolve();
    expect(await (await underWay).text()).toBe("fine");
    await drained;
    const { port } = server;
    await using next = await serve(() => new Response("next"), { port });
    expect(next.port).toBe(port);
  });
});

/** Whether a client that knows this authority alone reads it by HTTP/3. */
async function trusts(authority: Certificate, url: string): Promise<boolean> {
  await using dir = await tempDir();
  const path = `${dir.path}/authority.pem`;
  await Bun.write(path, authority.cert);
  const script = `await fetch(${JSON.stringify(url)}, { protocol: "h3" })`;
  const client = Bun.spawn([process.execPath, "-e", script], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: path },
    stderr: "ignore",
  });
  return (await client.exited) === 0;
}

/** Sends a body without end, until it is killed. */
function uploader(url: string): string {
  return `await fetch(${JSON.stringify(url)}, { protocol: "h3", method: "PUT",
    tls: { rejectUnauthorized: false }, body: new ReadableStream({ async pull(c) {
      c.enqueue(new Uint8Array(65536)); await Bun.sleep(10); } }) });`;
}

import { describe, expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import type { FetchHandler } from "./engine.ts";
import { serveHttp } from "./http-server.ts";
import { curl } from "./testing/curl.ts";
import { fixedPair } from "./testing/tls-pairs.ts";
import { frameTypes, H2Wire } from "./testing/h2-wire.ts";
import { settled } from "./testing/raw-client.ts";
import { streamOf } from "./testing/stream-of.ts";

const mebi = 1024 * 1024;
const chunk = Buffer.alloc(64 * 1024, "x");
/** RFC 9113, section 7. */
const internalError = 2;
const tls = fixedPair();

function body(headers: Record<string, string>, ...chunks: (string | Error)[]): Response {
  const stream = streamOf(async function* () {
    for (const one of chunks) {
      if (one instanceof Error) throw one;
      yield Buffer.from(one);
    }
  });
  return new Response(stream, { headers });
}

describe.each([false, true])("an answer over HTTP/2 (reusePort %p)", (reusePort) => {
  const serve = (fetch: FetchHandler, onFault: (error: DsmError) => void = () => {}) =>
    serveHttp({ engine: "stream", tls, hostname: "127.0.0.1", port: 0, reusePort, fetch, onFault });

  test("has its status, headers, length and body", async () => {
    await using server = await serve((request, info) => {
      const { method, url } = request;
      const said = `${method} ${url} ${request.headers.get("x-a")} ${info.remoteAddress}`;
      return body({ "content-length": `${said.length}`, etag: '"e"', connection: "close" }, said);
    });
    const answer = await curl("--http2", "-H", "X-A: 1", `${server.url}/a%2Fb%C3%A9?q=1`);
    const said = `GET ${server.url}/a%2Fb%C3%A9?q=1 1 127.0.0.1`;
    expect(answer.body.toString()).toBe(said);
    expect(answer).toMatchObject({ exitCode: 0, status: 200 });
    expect(answer.headers).toMatchObject({ "content-length": [`${said.length}`], etag: ['"e"'] });
    // RFC 9113, section 8.2.2.
    expect(answer.headers["connection"]).toBeUndefined();
  });

  test("to HEAD has the headers of GET and no body", async () => {
    await using server = await serve(({ method }) =>
      method === "HEAD"
        ? new Response(null, { headers: { "content-length": "5", etag: '"e"' } })
        : body({ "content-length": "5", etag: '"e"' }, "hello"),
    );
    const get = await curl("--http2", server.url);
    const head = await curl("--http2", "-I", server.url);
    expect(head.body.toString()).toStartWith("HTTP/2 200");
    expect({ ...head.headers, date: [] }).toEqual({ ...get.headers, date: [] });
  });

  test.each([204, 304])("of %d ends with its head", async (status) => {
    await using server = await serve(() => new Response(null, { status }));
    await using wire = await H2Wire.connect(server);
    wire.get(1);
    expect([await wire.ended(1), wire.bytesOf(1)]).toEqual(["whole", 0]);
  });

  test("that is too short, too long or fails is reset, with or without a length", async () => {
    const faults: string[] = [];
    const ten = { "content-length": "10" };
    const bodies: Record<string, () => Response> = {
      "/short": () => body(ten, "hello"),
      "/long": () => body({ "content-length": "4" }, "hel", "lo"),
      "/fails": () => body(ten, "hello", new Error("the disk is gone")),
      "/fails-without-length": () => body({}, "hello", new Error("the disk is gone")),
    };
    await using server = await serve(
      ({ url }) => bodies[new URL(url).pathname]?.() ?? new Response(),
      (error) => faults.push(error.message),
    );
    await using wire = await H2Wire.connect(server);
    let stream = 1;
    for (const path of Object.keys(bodies)) {
      wire.get(stream, path);
      expect([path, await wire.ended(stream)]).toEqual([path, internalError]);
      stream += 2;
      expect((await curl("--http2", `${server.url}${path}`)).exitCode).not.toBe(0);
    }
    // The connection goes on.
    wire.get(stream, "/fine");
    expect(await wire.ended(stream)).toBe("whole");
    expect(faults).toHaveLength(8);
  });

  test("that fails before its first byte becomes a problem", async () => {
    await using server = await serve(() =>
      body({}, new DsmError("FILE_NOT_FOUND", "no such file")),
    );
    const answer = await curl("--http2", server.url);
    expect([answer.exitCode, answer.status]).toEqual([0, 404]);
    expect(JSON.parse(answer.body.toString()).code).toBe("FILE_NOT_FOUND");
  });

  test.each(["reset", "gone"])("ends at once when its client is gone (%s)", async (how) => {
    const seen: string[] = [];
    await using server = await serve((request) => {
      request.signal.addEventListener("abort", () => seen.push("aborted"));
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(chunk),
          pull: () => new Promise(() => {}),
          cancel: () => void seen.push("cancelled"),
        }),
      );
    });
    await using wire = await H2Wire.connect(server);
    wire.get(1);
    await until("bytes come", () => wire.bytesOf(1) > 0);
    if (how === "reset") wire.reset(1);
    else wire.socket.destroy();
    await until("both are told", () => seen.length === 2);
    expect(seen.toSorted()).toEqual(["aborted", "cancelled"]);
    await until("nothing is active", () => server.activeRequests === 0);
  });

  test("that is whole aborts nothing", async () => {
    let aborted = 0;
    await using server = await serve((request) => {
      request.signal.addEventListener("abort", () => aborted++);
      return body({}, "hello");
    });
    const wire = await H2Wire.connect(server);
    wire.get(1);
    expect(await wire.ended(1)).toBe("whole");
    await wire[Symbol.asyncDispose]();
    await until("nothing is active", () => server.activeRequests === 0);
    expect(aborted).toBe(0);
  });
});

describe("what an HTTP/2 client does not read", () => {
  test.each([1, 100])("is not produced: %d streams with windows of 2 GiB", async (streams) => {
    let producedBytes = 0;
    const fetch = () =>
      new Response(
        streamOf(async function* () {
          while (producedBytes < 1024 * mebi) {
            producedBytes += chunk.length;
            yield chunk;
          }
        }),
      );
    const address = { hostname: "127.0.0.1", port: 0 };
    await using server = await serveHttp({ engine: "stream", tls, ...address, fetch });
    await using wire = await H2Wire.connect(server);
    for (let i = 0; i < streams; i++) wire.get(1 + 2 * i);
    await until("bytes come", () => wire.frames.some(({ type }) => type === frameTypes.data));
    wire.socket.pause();
    const rssBefore = process.memoryUsage.rss();
    const stalledAt = await settled(() => producedBytes);
    // 4 MiB for the connection, and one chunk of each stream that was under way.
    expect(stalledAt).toBeLessThan(24 * mebi);
    expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(64 * mebi);
    wire.socket.resume();
    await until("it goes on", () => producedBytes > stalledAt + 64 * mebi);
  });

  test("is cancelled in time", async () => {
    const address = { hostname: "127.0.0.1", port: 0, idleTimeoutS: 1 };
    const cancelled = Promise.withResolvers<void>();
    const fetch = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(chunk),
          cancel: () => cancelled.resolve(),
        }),
      );
    await using server = await serveHttp({ engine: "stream", tls, ...address, fetch });
    await using wire = await H2Wire.connect(server);
    wire.get(1);
    await until("bytes come", () => wire.bytesOf(1) > 0);
    wire.socket.pause();
    await cancelled.promise;
    await until("nothing is active", () => server.activeRequests === 0);
    wire.socket.resume();
    await wire.closed();
    expect(wire.endOf(1)).not.toBe("whole");
  });

  test("many bodies at a time on one connection all arrive", async () => {
    const address = { hostname: "127.0.0.1", port: 0 };
    const fetch: FetchHandler = ({ url }) => {
      const sizeBytes = Number(new URL(url).pathname.slice(1));
      return new Response(new Uint8Array(sizeBytes));
    };
    await using server = await serveHttp({ engine: "stream", tls, ...address, fetch });
    await using wire = await H2Wire.connect(server);
    const sizes = Array.from({ length: 60 }, (_, i) => (i * 40_961) % (2 * mebi));
    for (const [i, size] of sizes.entries()) wire.get(1 + 2 * i, `/${size}`);
    for (const [i, size] of sizes.entries()) {
      expect([await wire.ended(1 + 2 * i), wire.bytesOf(1 + 2 * i)]).toEqual(["whole", size]);
    }
  });
});

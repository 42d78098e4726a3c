import { describe, expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import type { FetchHandler } from "./engine.ts";
import { type HttpServerOptions, serveHttp } from "./http-server.ts";
import { engines } from "./testing/engines.ts";
import { curl } from "./testing/curl.ts";
import { RawClient, settled } from "./testing/raw-client.ts";
import { streamOf } from "./testing/stream-of.ts";

const mebi = 1024 * 1024;
const chunk = Buffer.alloc(64 * 1024, "x");

describe.each(engines)("serveHttp, %s: responses", (_name, engine) => {
  const serve = (fetch: FetchHandler, options: Partial<HttpServerOptions> = {}) =>
    serveHttp({ ...engine, hostname: "127.0.0.1", port: 0, fetch, ...options });

  test("a handler sees method, URL as sent, headers and the client's address", async () => {
    await using server = await serve(async (request, info) => {
      const { method, url, headers } = request;
      return Response.json([method, url, headers.get("x-a"), info.remoteAddress]);
    });
    const { body } = await curl("-H", "X-A: 1", "-H", "X-A: 2", `${server.url}/a%2Fb%ff%C3%A9?q=1`);
    expect(JSON.parse(body.toString())).toEqual([
      "GET",
      `${server.url}/a%2Fb%ff%C3%A9?q=1`,
      "1, 2",
      "127.0.0.1",
    ]);
  });

  test("HEAD has the headers of GET and no body", async () => {
    const headers = { "content-length": "5", "content-type": "video/mp4", etag: '"e"' };
    await using server = await serve(
      (request) => new Response(request.method === "HEAD" ? null : "hello", { headers }),
    );
    const get = await curl(server.url);
    const head = await curl("-I", server.url);
    expect(get.body.toString()).toBe("hello");
    expect(head.body.toString()).toStartWith("HTTP/1.1 200");
    expect({ ...head.headers, date: [] }).toEqual({ ...get.headers, date: [] });
    expect(head.headers).toMatchObject({
      "content-length": ["5"],
      "content-type": ["video/mp4"],
      date: [expect.any(String)],
      etag: ['"e"'],
    });
  });

  test("HEAD of a problem has no body, and the connection goes on", async () => {
    await using server = await serve(() => {
      throw new DsmError("FILE_NOT_FOUND", "no such file");
    });
    await using client = await RawClient.connect(server);
    client.request("HEAD / HTTP/1.1");
    await until("the first answer is there", () => client.head.endsWith("\r\n\r\n"));
    expect(client.head).toStartWith("HTTP/1.1 404");
    client.request("GET / HTTP/1.1");
    await until("the second answer is there", () => client.head.includes("no such file"));
  });

  test.each([204, 304])("a %d has no body and no length", async (status) => {
    await using server = await serve(
      () => new Response(null, { status, headers: { etag: '"e"' } }),
    );
    const answer = await curl(server.url);
    expect(answer).toMatchObject({ exitCode: 0, status, headers: { etag: ['"e"'] } });
    expect(answer.headers["transfer-encoding"]).toBeUndefined();
  });

  test("what a handler throws is problem JSON, and what is unforeseen stays inside", async () => {
    const faults: DsmError[] = [];
    const onFault = (error: DsmError) => void faults.push(error);
    await using server = await serve(
      (request) => {
        if (request.url.endsWith("/known")) {
          throw new DsmError("FILE_NOT_FOUND", "ada has no file x", { remedy: "look again" });
        }
        throw new Error("password hunter2");
      },
      { onFault },
    );
    const known = await curl(`${server.url}/known`);
    expect(known.status).toBe(404);
    expect(known.headers["content-type"]).toEqual(["application/problem+json"]);
    expect(JSON.parse(known.body.toString())).toEqual({
      type: "urn:dsm:error:FILE_NOT_FOUND",
      title: "Unknown file",
      status: 404,
      detail: "ada has no file x",
      code: "FILE_NOT_FOUND",
      remedy: "look again",
    });
    const unknown = await curl(`${server.url}/unknown`);
    expect(unknown.status).toBe(500);
    expect(unknown.body.toString()).not.toContain("hunter2");
    expect(faults.map((fault) => [fault.code, fault.message])).toEqual([
      ["INTERNAL", `GET ${server.url}/unknown failed: password hunter2`],
    ]);
  });

  test.each([true, false])("a body that fails midway breaks (length told: %p)", async (told) => {
    const headers = told ? { "content-length": `${10 * chunk.length}` } : {};
    await using server = await serve(
      () =>
        new Response(
          streamOf(async function* () {
            yield chunk;
            await Bun.sleep(1);
            yield chunk;
            throw new Error("the disk is gone");
          }),
          { headers },
        ),
    );
    const answer = await curl(server.url);
    expect(answer.exitCode).not.toBe(0);
    expect(answer.body.length).toBeLessThan(10 * chunk.length);
    await using client = await RawClient.connect(server);
    client.request("GET / HTTP/1.1");
    await client.closed();
    expect(client.head).not.toEndWith("\r\n0\r\n\r\n");
  });

  test("a client that leaves ends the body and aborts the signal", async () => {
    const seen: string[] = [];
    await using server = await serve((request) => {
      request.signal.addEventListener("abort", () => seen.push("aborted"));
      return new Response(
        streamOf(async function* () {
          try {
            for (;;) {
              yield chunk;
              await Bun.sleep(1);
            }
          } finally {
            seen.push("ended");
          }
        }),
      );
    });
    const client = await RawClient.connect(server);
    client.request("GET / HTTP/1.1");
    await until("bytes come", () => client.receivedBytes > mebi);
    client.socket.destroy();
    await until("the body has ended", () => seen.length === 2);
    expect(seen.toSorted()).toEqual(["aborted", "ended"]);
    await until("nothing is active", () => server.activeRequests === 0);
  });

  test("a client that leaves while the body waits for its source aborts the signal", async () => {
    const waiting = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    await using server = await serve((request) => {
      const aborted = Promise.withResolvers<void>();
      request.signal.addEventListener("abort", () => aborted.resolve());
      return new Response(
        streamOf(async function* () {
          try {
            yield chunk;
            waiting.resolve();
            await aborted.promise;
          } finally {
            ended.resolve();
          }
        }),
      );
    });
    const client = await RawClient.connect(server);
    client.request("GET / HTTP/1.1");
    await waiting.promise;
    client.socket.destroy();
    await ended.promise;
  });

  test("a source that waits for its next chunk is cancelled when the client leaves", async () => {
    const cancelled = Promise.withResolvers<void>();
    await using server = await serve(
      () =>
        new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(chunk),
            pull: () => new Promise(() => {}),
            cancel: () => cancelled.resolve(),
          }),
        ),
    );
    await using client = await RawClient.connect(server);
    client.request("GET / HTTP/1.1");
    await until("bytes come", () => client.receivedBytes > 0);
    client.socket.destroy();
    await cancelled.promise;
  });

  test("a stalled reader holds the body back", async () => {
    let producedBytes = 0;
    await using server = await serve(
      () =>
        new Response(
          streamOf(async function* () {
            while (producedBytes < 1024 * mebi) {
              producedBytes += chunk.length;
              yield chunk;
            }
          }),
        ),
    );
    await using client = await RawClient.connect(server);
    client.socket.pause();
    client.request("GET / HTTP/1.1");
    await until("the body begins", () => producedBytes > 0);
    expect(await settled(() => producedBytes)).toBeLessThan(24 * mebi);
    const stalledAt = producedBytes;
    client.socket.resume();
    await until("it goes on", () => producedBytes > stalledAt + 8 * mebi);
  });

  test("bad requests get an answer or a closed connection, and the server lives", async () => {
    await using server = await serve(() => new Response("fine"));
    const requests = [
      "GET / HTTP/1.1\r\n\r\n",
      "GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a b[\r\n\r\n",
      "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
      "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
      "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
      `GET /${"a".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(100_000)}\r\n\r\n`,
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
      "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "\0\0\0\0\r\n\r\n",
    ];
    for (const text of requests) {
      await using client = await RawClient.connect(server);
      client.socket.write(text);
      await until(`an answer to ${JSON.stringify(text.slice(0, 40))}`, () => {
        return client.isClosed || client.receivedBytes > 0;
      });
    }
    expect((await curl(server.url)).body.toString()).toBe("fine");
  });
});

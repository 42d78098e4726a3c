import { describe, expect, test } from "bun:test";
import type { DsmError } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import type { FetchHandler } from "./engine.ts";
import { serveHttp } from "./http-server.ts";
import { curl } from "./testing/curl.ts";
import { engines } from "./testing/engines.ts";
import { RawClient } from "./testing/raw-client.ts";
import { streamOf } from "./testing/stream-of.ts";

function body(announced: number, ...chunks: (string | Error)[]): Response {
  const stream = streamOf(async function* () {
    for (const chunk of chunks) {
      if (chunk instanceof Error) throw chunk;
      yield Buffer.from(chunk);
    }
  });
  return new Response(stream, { headers: { "content-length": `${announced}` } });
}

/** What node:http can and Bun.serve cannot. */
describe.each(engines.slice(1))("serveHttp, %s: stream bodies", (_name, engine) => {
  const serve = (fetch: FetchHandler, onFault: (error: DsmError) => void = () => {}) =>
    serveHttp({ ...engine, hostname: "127.0.0.1", port: 0, fetch, onFault });

  test("keep their Content-Length, and the connection goes on", async () => {
    await using server = await serve(() => body(10, "hello", "world"));
    await using client = await RawClient.connect(server);
    client.request("GET / HTTP/1.1");
    await until("the first answer is there", () => client.head.endsWith("helloworld"));
    expect(client.head.toLowerCase()).toContain("content-length: 10\r\n");
    expect(client.head.toLowerCase()).not.toContain("transfer-encoding");
    client.request("GET / HTTP/1.1");
    await until("the second answer is there", () => client.head.split("helloworld").length === 3);
  });

  test("that are too short or too long break the connection, and the server is told", async () => {
    const faults: string[] = [];
    await using server = await serve(
      (request) => (request.url.endsWith("/short") ? body(10, "hello") : body(4, "hel", "lo")),
      (error) => faults.push(`${error.code}: ${error.message}`),
    );
    for (const [path, sent] of [
      ["short", "hello"],
      ["long", "hel"],
    ]) {
      await using client = await RawClient.connect(server);
      client.request(`GET /${path} HTTP/1.1`);
      await client.closed();
      // TLS loses what was on its way.
      const [, received = ""] = client.head.split("\r\n\r\n");
      expect(["", sent]).toContain(received);
    }
    expect(faults).toHaveLength(2);
    expect(faults[0]).toBe(
      "INTERNAL: a body had 5 of the 10 bytes that its Content-Length announced",
    );
  });

  test("that fail before their first byte become a problem answer", async () => {
    const faults: string[] = [];
    await using server = await serve(
      () => body(10, new Error("no upstream")),
      (error) => faults.push(error.message),
    );
    const answer = await curl(server.url);
    expect([answer.exitCode, answer.status]).toEqual([0, 500]);
    expect(JSON.parse(answer.body.toString()).code).toBe("INTERNAL");
    expect(answer.headers["content-type"]).toEqual(["application/problem+json"]);
    expect(faults).toEqual(["answering GET / failed: no upstream"]);
  });

  test("that fail midway are told of once", async () => {
    const faults: string[] = [];
    await using server = await serve(
      () => body(10, "hello", new Error("the disk is gone")),
      (error) => faults.push(error.message),
    );
    expect((await curl(server.url)).exitCode).not.toBe(0);
    expect(faults).toEqual(["answering GET / failed: the disk is gone"]);
  });

  test("a source that fails when it is cancelled is told of and harms nobody", async () => {
    const faults: string[] = [];
    await using server = await serve(
      (request) => {
        if (request.url.endsWith("/fine")) return new Response("fine");
        return new Response(
          streamOf(async function* () {
            try {
              for (;;) yield Buffer.alloc(65_536);
            } finally {
              // oxlint-disable-next-line no-unsafe-finally
              throw new Error("cannot close");
            }
          }),
        );
      },
      (error) => faults.push(error.message),
    );
    const client = await RawClient.connect(server);
    client.request("GET / HTTP/1.1");
    await until("bytes come", () => client.receivedBytes > 0);
    client.socket.destroy();
    await until("it is told", () => faults.length > 0);
    expect(faults).toEqual(["answering GET / failed: cannot close"]);
    expect((await curl(`${server.url}/fine`)).body.toString()).toBe("fine");
  });

  // Bun.serve takes 12 s for it, whatever its idleTimeout, so it is not tried there.
  test("a request that is never finished is cut", async () => {
    const address = { hostname: "127.0.0.1", port: 0, idleTimeoutS: 1 };
    await using server = await serveHttp({ ...engine, ...address, fetch: () => new Response() });
    await using client = await RawClient.connect(server);
    client.socket.write("GET / HTTP/1.1\r\nHos");
    await client.closed();
  });
});

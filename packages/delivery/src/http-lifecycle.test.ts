import { describe, expect, test } from "bun:test";
import { until } from "@dsm/testkit";
import type { FetchHandler } from "./engine.ts";
import { type HttpServerOptions, serveHttp } from "./http-server.ts";
import { engines } from "./testing/engines.ts";
import { curl } from "./testing/curl.ts";
import { RawClient } from "./testing/raw-client.ts";

const longTimeMs = 15_000;
const bodyBytes = 16 * 1024 * 1024;

const largeBody: FetchHandler = () => new Response(new Uint8Array(bodyBytes));

/** A client that has asked for a large body and does not read it. */
async function stalledClient(server: { url: string }): Promise<RawClient> {
  const client = await RawClient.connect(server);
  client.socket.pause();
  client.request("GET / HTTP/1.1");
  return client;
}

describe.each(engines)("serveHttp, %s: life", (_name, engine) => {
  const serve = (fetch: FetchHandler, options: Partial<HttpServerOptions> = {}) =>
    serveHttp({ ...engine, hostname: "127.0.0.1", port: 0, fetch, ...options });

  test("an address in use is an error that names it", async () => {
    await using server = await serve(() => new Response(), { reusePort: false });
    expect(
      serve(() => new Response(), { port: server.port, reusePort: false }),
    ).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
      message: `cannot listen on 127.0.0.1:${server.port}: it is in use`,
      remedy: "stop what listens there, or choose another port",
    });
  });

  test("an address of another machine is an error that names it", async () => {
    expect(serve(() => new Response(), { hostname: "192.0.2.1" })).rejects.toMatchObject({
      code: "BAD_CONFIG",
      message: expect.stringContaining("192.0.2.1:0"),
    });
  });

  test("two servers share a port with reusePort", async () => {
    await using one = await serve(() => new Response("a"), { reusePort: true });
    await using two = await serve(() => new Response("a"), { reusePort: true, port: one.port });
    expect(two.url).toBe(one.url);
    expect((await curl(one.url)).body.toString()).toBe("a");
  });

  test("an IPv6 address stands in brackets", async () => {
    await using server = await serve(() => new Response("six"), { hostname: "::1" });
    const scheme = engine.tls === undefined ? "http" : "https";
    expect(server.url).toBe(`${scheme}://[::1]:${server.port}`);
    expect((await curl(server.url)).body.toString()).toBe("six");
  });

  test("requests count as active until their answer is sent", async () => {
    await using server = await serve(largeBody);
    await using client = await stalledClient(server);
    await until("one is active", () => server.activeRequests === 1);
    client.socket.resume();
    await until("all is there", () => client.receivedBytes > bodyBytes);
    await until("none is active", () => server.activeRequests === 0);
  });

  test("drain closes idle connections, refuses new ones and lets answers end", async () => {
    await using server = await serve(largeBody);
    await using idle = await RawClient.connect(server);
    idle.request("GET / HTTP/1.1");
    await until("the idle one is served", () => idle.receivedBytes > bodyBytes);
    await using busy = await stalledClient(server);
    await until("one is active", () => server.activeRequests === 1);
    const drained = server.drain(longTimeMs);
    await idle.closed();
    await until("new ones are refused", async () => (await curl(server.url)).exitCode === 7);
    expect([busy.isClosed, server.activeRequests]).toEqual([false, 1]);
    busy.socket.resume();
    await drained;
    await busy.closed();
    expect(busy.receivedBytes).toBeGreaterThan(bodyBytes);
  });

  test("drain cuts in time what does not end", async () => {
    await using server = await serve(largeBody);
    await using client = await stalledClient(server);
    await until("one is active", () => server.activeRequests === 1);
    await server.drain(50);
    client.socket.resume();
    await client.closed();
    expect(client.receivedBytes).toBeLessThan(bodyBytes);
    expect(server.activeRequests).toBe(0);
  });

  test("drain does not wait for the rest of an upload that was refused", async () => {
    await using server = await serve(() => new Response("no", { status: 409 }));
    await using client = await RawClient.connect(server);
    client.request("PUT / HTTP/1.1", `Content-Length: ${bodyBytes}`);
    await until("it is refused", () => client.head.startsWith("HTTP/1.1 409"));
    await client.flood(bodyBytes / 2);
    const startMs = performance.now();
    await server.drain(longTimeMs);
    expect(performance.now() - startMs).toBeLessThan(longTimeMs / 3);
    await client.closed();
  });

  test("drain of a server without connections ends at once, twice", async () => {
    const server = await serve(() => new Response());
    await server.drain(longTimeMs);
    await server.drain(longTimeMs);
    server.kill();
    await server[Symbol.asyncDispose]();
  });

  test("kill cuts every connection", async () => {
    await using server = await serve(largeBody);
    await using busy = await stalledClient(server);
    await using silent = await RawClient.connect(server);
    await until("one is active", () => server.activeRequests === 1);
    server.kill();
    busy.socket.resume();
    await busy.closed();
    expect(busy.receivedBytes).toBeLessThan(bodyBytes);
    // Bun does not know of a connection before its first byte, but does not answer it either.
    silent.request("GET / HTTP/1.1");
    await silent.closed();
    expect(silent.receivedBytes).toBe(0);
  });
});

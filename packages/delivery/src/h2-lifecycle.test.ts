import { describe, expect, test } from "bun:test";
import { until } from "@dsm/testkit";
import type { FetchHandler } from "./engine.ts";
import { type HttpServerOptions, serveHttp } from "./http-server.ts";
import { fixedPair } from "./testing/tls-pairs.ts";
import { frameTypes, H2Wire } from "./testing/h2-wire.ts";

const longTimeMs = 15_000;
const bodyBytes = 16 * 1024 * 1024;
const tls = fixedPair();
const largeBody: FetchHandler = () => new Response(new Uint8Array(bodyBytes));

/** A client that has asked for a large body and does not read it. */
async function stalledWire(server: { url: string }): Promise<H2Wire> {
  const wire = await H2Wire.connect(server);
  wire.get(1);
  await until("bytes come", () => wire.bytesOf(1) > 0);
  wire.socket.pause();
  return wire;
}

const wasSentAway = (wire: H2Wire) => wire.of(0).some(({ type }) => type === frameTypes.goAway);

describe.each([false, true])("connections of HTTP/2 (reusePort %p)", (reusePort) => {
  const serve = (fetch: FetchHandler, options: Partial<HttpServerOptions> = {}) => {
    const address = { hostname: "127.0.0.1", port: 0, reusePort };
    return serveHttp({ engine: "stream", tls, ...address, fetch, ...options });
  };

  test("drain: idle ones are sent away, answers under way end", async () => {
    await using server = await serve(largeBody);
    await using idle = await H2Wire.connect(server);
    idle.get(1);
    await idle.ended(1);
    await using unused = await H2Wire.connect(server);
    await using busy = await stalledWire(server);
    const drained = server.drain(longTimeMs);
    await Promise.all([idle.closed(), unused.closed()]);
    expect([idle, unused].map(wasSentAway)).toEqual([true, true]);
    expect([busy.isClosed, server.activeRequests]).toEqual([false, 1]);
    busy.socket.resume();
    expect([await busy.ended(1), busy.bytesOf(1)]).toEqual(["whole", bodyBytes]);
    await drained;
    await busy.closed();
    expect(wasSentAway(busy)).toBe(true);
  });

  test("drain: a request that crosses with the GOAWAY holds nobody up", async () => {
    const asked: string[] = [];
    await using server = await serve((request, info) => {
      asked.push(new URL(request.url).pathname);
      return largeBody(request, info);
    });
    await using busy = await stalledWire(server);
    const drained = server.drain(longTimeMs);
    busy.get(3, "/late");
    busy.socket.resume();
    expect(await busy.ended(1)).toBe("whole");
    await drained;
    // Its client knows from the GOAWAY that it was not looked at (RFC 9113, section 6.8).
    expect([asked, busy.endOf(3)]).toEqual([["/"], undefined]);
  });

  test("drain cuts in time what does not end, and it does not look whole", async () => {
    await using server = await serve(largeBody);
    await using busy = await stalledWire(server);
    await server.drain(50);
    expect(server.activeRequests).toBe(0);
    busy.socket.resume();
    await busy.closed();
    expect(busy.endOf(1)).not.toBe("whole");
    expect(busy.bytesOf(1)).toBeLessThan(bodyBytes);
  });

  test("kill cuts at once, and nothing looks whole", async () => {
    await using server = await serve(largeBody);
    await using unused = await H2Wire.connect(server);
    await using busy = await stalledWire(server);
    server.kill();
    busy.socket.resume();
    await Promise.all([unused.closed(), busy.closed()]);
    expect(busy.endOf(1)).not.toBe("whole");
    expect(busy.bytesOf(1)).toBeLessThan(bodyBytes);
  });

  test("that rest are closed, whatever they say meanwhile", async () => {
    await using server = await serve(() => new Response("fine"), { idleTimeoutS: 1 });
    await using used = await H2Wire.connect(server);
    used.get(1);
    await used.ended(1);
    await using unused = await H2Wire.connect(server);
    await using pinging = await H2Wire.connect(server);
    const timer = setInterval(() => {
      if (!pinging.isClosed) pinging.send(frameTypes.ping, 0, 0, Buffer.alloc(8));
    }, 100);
    try {
      await Promise.all([used.closed(), unused.closed(), pinging.closed()]);
    } finally {
      clearInterval(timer);
    }
    expect([used, unused, pinging].map(wasSentAway)).toEqual([true, true, true]);
  });
});

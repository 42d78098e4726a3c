import { describe, expect, test } from "bun:test";
import { limits } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import type { FetchHandler } from "./engine.ts";
import { serveHttp } from "./http-server.ts";
import { curl } from "./testing/curl.ts";
import { fixedPair } from "./testing/tls-pairs.ts";
import {
  endHeaders,
  endStream,
  fields,
  frameTypes,
  H2Wire,
  requestLine,
} from "./testing/h2-wire.ts";

const mebi = 1024 * 1024;
const tls = fixedPair();
/** RFC 9113, section 7. */
const refusedStream = 7;
const enhanceYourCalm = 11;
const frameMaxBytes = 16_384;

const serve = (fetch: FetchHandler) =>
  serveHttp({ engine: "stream", tls, hostname: "127.0.0.1", port: 0, fetch });

async function expectAlive({ url }: { url: string }): Promise<void> {
  expect((await curl("--http2", url)).status).toBe(200);
}

describe("hostile clients of HTTP/2", () => {
  test("who reset what they ask for, again and again (CVE-2023-44487), are cut", async () => {
    let asked = 0;
    await using server = await serve(() => {
      asked++;
      return new Response("fine");
    });
    await using wire = await H2Wire.connect(server);
    await until("the server has spoken", () => wire.frames.length > 0);
    const rssBefore = process.memoryUsage.rss();
    for (let i = 0; i < 50_000 && !wire.isClosed; i++) {
      wire.get(1 + 2 * i);
      wire.reset(1 + 2 * i);
      if (i % 100 === 0) await Bun.sleep(0);
    }
    await wire.closed();
    await until("nothing is active", () => server.activeRequests === 0);
    expect(asked).toBeLessThan(10_000);
    expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(128 * mebi);
    await expectAlive(server);
  });

  test("who open more streams than they may are refused", async () => {
    const finish = Promise.withResolvers<void>();
    await using server = await serve(async ({ method }) => {
      if (method === "PUT") await finish.promise;
      return new Response();
    });
    await using wire = await H2Wire.connect(server);
    await until("the server has spoken", () => wire.frames.length > 0);
    const over = 20;
    for (let i = 0; i < limits.h2StreamsPerConnectionMax + over; i++) wire.put(1 + 2 * i);
    const refused = () => wire.frames.filter(({ type }) => type === frameTypes.resetStream);
    await until("those over the limit are refused", () => refused().length === over);
    expect(refused()[0]?.payload.readUInt32BE()).toBe(refusedStream);
    expect(server.activeRequests).toBe(limits.h2StreamsPerConnectionMax);
    finish.resolve();
  });

  test("who send too large headers are refused, however they cut them", async () => {
    let asked = 0;
    await using server = await serve(() => {
      asked++;
      return new Response("fine");
    });
    await using wire = await H2Wire.connect(server);
    await until("the server has spoken", () => wire.frames.length > 0);
    const value = "v".repeat(limits.headersMaxBytes);
    const many = Array.from({ length: 1_000 }, (_, i) => [`x-${i}`, "v".repeat(10)]);
    const floods = [
      fields({ ...requestLine("GET", "/"), ...Object.fromEntries(many) }),
      fields({ ...requestLine("GET", "/"), "x-large": value }),
      fields(requestLine("GET", `/${value}`)),
    ];
    for (const [i, block] of floods.entries()) {
      const stream = 1 + 2 * i;
      sendHead(wire, stream, block);
      expect([i, await wire.ended(stream)]).toEqual([i, enhanceYourCalm]);
    }
    wire.get(7);
    expect([await wire.ended(7), asked]).toEqual(["whole", 1]);
    // One that no decoder has room for: the connection is cut.
    sendHead(wire, 9, fields({ ...requestLine("GET", "/"), "x-large": "v".repeat(65_536) }));
    await wire.closed();
    expect(asked).toBe(1);
  });

  test("whose headers never end (CVE-2024-27316) are cut, and memory stays flat", async () => {
    await using server = await serve(() => new Response("fine"));
    await using wire = await H2Wire.connect(server);
    await until("it has agreed", () => wire.frames.length > 1);
    const rssBefore = process.memoryUsage.rss();
    wire.send(frameTypes.headers, endStream, 1, fields(requestLine("GET", "/")));
    const more = fields({ "x-more": "v".repeat(16_000) });
    for (let i = 0; i < 20_000 && !wire.isClosed; i++) {
      wire.send(frameTypes.continuation, 0, 1, more);
      if (i % 100 === 0) await Bun.sleep(0);
    }
    await wire.closed();
    expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(128 * mebi);
    await expectAlive(server);
  });

  test("who say nonsense are cut", async () => {
    await using server = await serve(() => new Response("fine"));
    const nonsense: ((wire: H2Wire) => void)[] = [
      (wire) => wire.socket.write(Buffer.alloc(100, 0xff)),
      (wire) => wire.send(frameTypes.data, 0, 0, Buffer.alloc(10)),
      (wire) => wire.send(frameTypes.headers, endHeaders | endStream, 1, Buffer.alloc(20, 0xff)),
      (wire) => wire.send(frameTypes.data, 0, 1, Buffer.alloc(frameMaxBytes + 1)),
    ];
    for (const say of nonsense) {
      await using wire = await H2Wire.connect(server);
      say(wire);
      await wire.closed();
    }
    await expectAlive(server);
  });
});

/** A head in as many frames as it takes. */
function sendHead(wire: H2Wire, stream: number, block: Buffer): void {
  for (let at = 0; at < block.length; at += frameMaxBytes) {
    const type = at === 0 ? frameTypes.headers : frameTypes.continuation;
    const last = at + frameMaxBytes >= block.length ? endHeaders : 0;
    const flags = last | (at === 0 ? endStream : 0);
    wire.send(type, flags, stream, block.subarray(at, at + frameMaxBytes));
  }
}

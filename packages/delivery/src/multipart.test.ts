import { describe, expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import { tempDir, until } from "@dsm/testkit";
import fc from "fast-check";
import type { BodySource } from "./body-source.ts";
import { serveHttp } from "./http-server.ts";
import { localSource } from "./local-source.ts";
import { planResponse } from "./plan.ts";
import { respond } from "./respond.ts";
import { parseByteranges } from "./testing/byteranges.ts";
import { curl } from "./testing/curl.ts";
import { engines } from "./testing/engines.ts";
import { RawClient } from "./testing/raw-client.ts";
import { sampleFile, storeSample } from "./testing/sample-file.ts";
import { streamOf } from "./testing/stream-of.ts";

const mebi = 1024 * 1024;
/** Nothing looks more like a multipart body than one. */
const hostile = Buffer.from(
  "\r\n--\r\n\r\n--x--\r\nContent-Range: bytes 0-0/1\r\n\r\n".repeat(400),
);

function answerTo(range: string, source: BodySource, file = sampleFile, keepsLength = false) {
  const request = { method: "GET", headers: new Headers({ range }), download: false, keepsLength };
  return respond(planResponse(request, file), source);
}

const memory = (bytes: Uint8Array): BodySource => ({
  open: (start, endExclusive) => bytes.slice(start, endExclusive),
});

async function partsOf(answer: Response) {
  const body = Buffer.from(await answer.bytes());
  expect(answer.headers.get("content-length")).toBe(`${body.length}`);
  expect(answer.headers.get("content-range")).toBeNull();
  return parseByteranges(answer.headers.get("content-type") ?? "", body);
}

describe("RFC 9110, section 14.6: a multipart body", () => {
  const file = { ...sampleFile, sizeBytes: hostile.length };

  test("parsed by another, gives exactly the bytes that were asked for, and little more is sent", async () => {
    const start = fc.integer({ min: 0, max: file.sizeBytes + 100 });
    const ranges = fc.array(fc.tuple(start, fc.nat(400)), { minLength: 2, maxLength: 64 });
    await fc.assert(
      fc.asyncProperty(ranges, fc.boolean(), async (wanted, keepsLength) => {
        const range = `bytes=${wanted.map(([at, n]) => `${at}-${at + n}`).join(",")}`;
        const answer = await answerTo(range, memory(hostile), file, keepsLength);
        if (!answer.headers.get("content-type")?.startsWith("multipart/")) return;
        const sentBytes = Number(answer.headers.get("content-length"));
        const parts = await partsOf(answer);
        for (const part of parts) {
          expect(part).toMatchObject({ contentType: "video/mp4", sizeBytes: file.sizeBytes });
          expect(part.bytes.equals(hostile.subarray(part.first, part.last + 1))).toBe(true);
        }
        for (const [at, n] of wanted) {
          const last = Math.min(at + n, file.sizeBytes - 1);
          const isThere = parts.some((part) => part.first <= at && part.last >= last);
          expect(isThere || at >= file.sizeBytes).toBe(true);
        }
        expect(sentBytes).toBeLessThan(file.sizeBytes + 200 * parts.length + 100);
      }),
      { numRuns: 300 },
    );
  });

  test("has a boundary that no upload can foresee", async () => {
    const types = new Set<string | null>();
    for (let i = 0; i < 50; i += 1) {
      const answer = await answerTo("bytes=0-0,-1", memory(hostile), file);
      types.add(answer.headers.get("content-type"));
    }
    expect(types.size).toBe(50);
  });

  test("that cannot be buffered holds the first parts, and one alone is an ordinary 206", async () => {
    const bytes = Buffer.alloc(4 * mebi, "0123456789");
    const large = { ...sampleFile, sizeBytes: bytes.length };
    const range = `bytes=0-499999,600000-1000000,2000000-2500000,-1`;
    const parts = await partsOf(await answerTo(range, memory(bytes), large));
    expect(parts.map(({ first, last }) => [first, last])).toEqual([
      [0, 499_999],
      [600_000, 1_000_000],
    ]);
    const one = await answerTo(`bytes=0-2000000,3000000-`, memory(bytes), large);
    expect([one.status, one.headers.get("content-range")]).toEqual([
      206,
      `bytes 0-2000000/${bytes.length}`,
    ]);
    const all = await partsOf(await answerTo(range, memory(bytes), large, true));
    expect(all.length).toBe(4);
  });

  test.each([-1, 1])("is an error when a part has %d bytes too many", async (extra) => {
    const lying: BodySource = { open: (start, end) => new Uint8Array(end - start + extra) };
    const code = async (size: number, range: string) => {
      try {
        await (await answerTo(range, lying, { ...sampleFile, sizeBytes: size }, true)).bytes();
        return "whole";
      } catch (error) {
        return error instanceof DsmError ? error.code : error;
      }
    };
    expect(await code(1000, "bytes=0-9,-1")).toBe("INTERNAL");
    expect(await code(4 * mebi, "bytes=0-1999999,3000000-3999999")).toBe("INTERNAL");
  });
});

describe.each(engines)("a multipart body through %s", (_name, engine) => {
  const serve = (source: BodySource, file = sampleFile) =>
    serveHttp({
      ...engine,
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ headers }, { keepsLength }) =>
        answerTo(headers.get("range") ?? "", source, file, keepsLength),
    });

  test("of a blob arrives whole, with its exact length", async () => {
    await using dir = await tempDir();
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const file = await storeSample(dir.path, bytes);
    await using server = await serve(localSource(dir.path, file), file);
    const answer = await curl("-r", "0-0,100-40000,-5000", server.url);
    expect([answer.exitCode, answer.status]).toEqual([0, 206]);
    expect(answer.headers["content-length"]).toEqual([`${answer.body.length}`]);
    expect([answer.headers["transfer-encoding"], answer.headers["content-range"]]).toEqual([
      undefined,
      undefined,
    ]);
    const parts = parseByteranges(answer.headers["content-type"]?.[0] ?? "", answer.body);
    expect(parts.map(({ first, last }) => [first, last])).toEqual([
      [0, 40_000],
      [55_000, 59_999],
    ]);
    for (const part of parts) {
      expect(part.bytes.equals(bytes.subarray(part.first, part.last + 1))).toBe(true);
    }
  });

  test("keeps its length past what is buffered, with as many parts as this server can", async () => {
    await using dir = await tempDir();
    const bytes = Buffer.alloc(5 * mebi, "0123456789");
    const file = await storeSample(dir.path, bytes);
    await using server = await serve(localSource(dir.path, file), file);
    const answer = await curl("-r", `0-99999,${mebi}-${4 * mebi},-1`, server.url);
    const { exitCode, status, headers, body } = answer;
    expect([exitCode, status, headers["content-length"]]).toEqual([0, 206, [`${body.length}`]]);
    expect(headers["transfer-encoding"]).toBeUndefined();
    if (engine.engine === "sendfile") {
      expect(headers["content-range"]).toEqual([`bytes 0-99999/${bytes.length}`]);
      expect(body.equals(bytes.subarray(0, 100_000))).toBe(true);
      return;
    }
    const parts = parseByteranges(headers["content-type"]?.[0] ?? "", body);
    expect(parts.map(({ bytes: part }) => part.length)).toEqual([100_000, 3 * mebi + 1, 1]);
    const [, middle] = parts;
    expect(middle?.bytes.equals(bytes.subarray(mebi, 4 * mebi + 1))).toBe(true);
  });

  test("whose source cannot open is an error, and no broken 206", async () => {
    const failing: BodySource = {
      open() {
        throw new DsmError("GROUP_UNAVAILABLE", "nobody has it");
      },
    };
    await using server = await serve(failing, { ...sampleFile, sizeBytes: 10 * mebi });
    for (const range of ["0-0,-1", `0-0,${mebi}-${3 * mebi}`]) {
      expect((await curl("-r", range, server.url)).status).toBe(503);
    }
  });
});

test("a streamed multipart body stops its source when the client leaves in the middle", async () => {
  let opened = 0;
  let stopped = 0;
  const endless: BodySource = {
    open(start, endExclusive) {
      opened += 1;
      return streamOf(async function* () {
        try {
          for (let at = start; at < endExclusive; at += 65_536) yield new Uint8Array(65_536);
        } finally {
          stopped += 1;
        }
      });
    },
  };
  const file = { ...sampleFile, sizeBytes: 1024 * mebi };
  await using server = await serveHttp({
    engine: "stream",
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => answerTo(`bytes=0-${512 * mebi - 1},${600 * mebi}-`, endless, file, true),
  });
  const beforeBytes = process.memoryUsage().rss;
  const client = await RawClient.connect(server);
  client.request("GET / HTTP/1.1");
  await until("some of it is there", () => client.receivedBytes > 8 * mebi);
  expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(64 * mebi);
  await client[Symbol.asyncDispose]();
  await until("the source is stopped", () => stopped === 1);
  await until("none is active", () => server.activeRequests === 0);
  expect(opened).toBe(1);
});

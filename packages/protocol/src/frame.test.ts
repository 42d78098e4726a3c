import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DsmError } from "./errors.ts";
import { encodeFrame, type Frame, FrameDecoder, frameHeaderBytes, frameKinds } from "./frame.ts";
import { limits } from "./limits.ts";

const anyFrame = fc.record({
  kind: fc.constantFrom(...(Object.keys(frameKinds) as Frame["kind"][])),
  type: fc.integer({ min: 0, max: 0xffff }),
  requestId: fc.integer({ min: 0, max: 0xffff_ffff }),
  // JSON has no -0, and its numbers are what a parser gives back.
  body: fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value))),
});

const codesOfBrokenFrames = ["BAD_FRAME", "FRAME_TOO_LARGE", "UNSUPPORTED_VERSION"];

/** Pieces of the bytes whose sizes repeat the given ones. */
function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

function decode(decoder: FrameDecoder, chunks: Iterable<Buffer>): Frame[] {
  const frames: Frame[] = [];
  for (const chunk of chunks) frames.push(...decoder.push(chunk));
  return frames;
}

const ping: Frame = { kind: "request", type: 1, requestId: 7, body: { a: "ä" } };

describe("frames", () => {
  test("have the layout that docs/PROTOCOL.md tells", () => {
    expect(encodeFrame(ping).toString("hex")).toBe(
      `d54d0105${"0001"}${"0000"}${"00000007"}${"0000000a"}${Buffer.from('{"a":"ä"}').toString("hex")}`,
    );
  });

  test("come back as they went in, in pieces of any size", () =>
    fc.assert(
      fc.property(
        fc.array(anyFrame, { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }),
        (sent, sizes) => {
          const bytes = Buffer.concat(sent.map(encodeFrame));
          const decoder = new FrameDecoder();
          expect(decode(decoder, pieces(bytes, sizes))).toEqual(sent);
          expect(decoder.pendingBytes).toBe(0);
        },
      ),
    ));

  test("come back byte by byte, each with its last byte and not before", () =>
    fc.assert(
      fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 4 }), (sent) => {
        const decoder = new FrameDecoder();
        for (const frame of sent) {
          const bytes = encodeFrame(frame);
          expect(decode(decoder, pieces(bytes.subarray(0, -1), [1]))).toEqual([]);
          expect([...decoder.push(bytes.subarray(-1))]).toEqual([frame]);
        }
      }),
    ));

  test("that are cut short yield nothing and wait", () =>
    fc.assert(
      fc.property(anyFrame, fc.nat(), (frame, cut) => {
        const bytes = encodeFrame(frame);
        const decoder = new FrameDecoder();
        const part = bytes.subarray(0, cut % bytes.length);
        expect([...decoder.push(part)]).toEqual([]);
        expect(decoder.pendingBytes).toBe(part.length);
        expect([...decoder.push(bytes.subarray(part.length))]).toEqual([frame]);
      }),
    ));

  test("of the largest size come back crumb by crumb, in reasonable time", () => {
    const body = "x".repeat(limits.frameMaxBytes - frameHeaderBytes - 2);
    const bytes = encodeFrame({ ...ping, body });
    expect(bytes.length).toBe(limits.frameMaxBytes);
    expect(decode(new FrameDecoder(), pieces(bytes, [16]))).toEqual([{ ...ping, body }]);
    expect(() => encodeFrame({ ...ping, body: `${body}x` })).toThrow(
      expect.objectContaining({ code: "FRAME_TOO_LARGE" }),
    );
  });

  test("that are random bytes throw a DsmError or wait, and nothing else", () =>
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(0, 2, 3, 4, 8, 16),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (noise, goodBytes, sizes) => {
          // A good beginning takes the noise to the later checks.
          const bytes = Buffer.concat([encodeFrame(ping).subarray(0, goodBytes), noise]);
          try {
            decode(new FrameDecoder(), pieces(bytes, sizes));
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(DsmError);
            expect(codesOfBrokenFrames).toContain((thrown as DsmError).code);
          }
        },
      ),
      { numRuns: 500 },
    ));

  test("with one bit flipped never come back as they were", () =>
    fc.assert(
      fc.property(anyFrame, fc.nat(), (frame, at) => {
        const bytes = encodeFrame(frame);
        const bit = at % (bytes.length * 8);
        const byte = Math.floor(bit / 8);
        bytes.writeUInt8(bytes.readUInt8(byte) ^ (1 << (bit % 8)), byte);
        let got: Frame[] = [];
        try {
          got = [...new FrameDecoder().push(bytes)];
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(DsmError);
        }
        // In JSON a flipped bit may mean the same still: 1e5 and 1E5.
        if (byte < frameHeaderBytes) expect(got).not.toEqual([frame]);
      }),
    ));
});

describe("the decoder", () => {
  test("refuses a frame over the limit by its header, and takes it once the limit is raised", () => {
    const bytes = encodeFrame({ ...ping, body: "x".repeat(100) });
    const header = bytes.subarray(0, frameHeaderBytes);
    expect(() => [...new FrameDecoder(117).push(header)]).toThrow(
      expect.objectContaining({ code: "FRAME_TOO_LARGE" }),
    );
    const decoder = new FrameDecoder(117);
    decoder.raiseLimit(118);
    expect([...decoder.push(bytes)].length).toBe(1);
  });

  test("lets a frame raise the limit for the one behind it in the same piece", () => {
    const decoder = new FrameDecoder(100);
    const long = { ...ping, body: "x".repeat(200) };
    const kinds: unknown[] = [];
    for (const frame of decoder.push(Buffer.concat([encodeFrame(ping), encodeFrame(long)]))) {
      kinds.push(frame.body);
      decoder.raiseLimit(1000);
    }
    expect(kinds).toEqual([ping.body, long.body]);
  });

  test("keeps the frames that were not taken for the next push", () =>
    fc.assert(
      fc.property(
        fc.array(anyFrame, { minLength: 1, maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
        fc.infiniteStream(fc.nat(3)),
        (sent, sizes, takes) => {
          const decoder = new FrameDecoder();
          const got: Frame[] = [];
          for (const chunk of pieces(Buffer.concat(sent.map(encodeFrame)), sizes)) {
            const wanted = takes.next().value ?? 0;
            const waiting = decoder.push(chunk);
            if (wanted > 0) got.push(...waiting.take(wanted));
          }
          got.push(...decoder.push(Buffer.alloc(0)));
          expect(got).toEqual(sent);
        },
      ),
    ));

  test.each([
    ["broken UTF-8", Buffer.from([0x22, 0xc3, 0x28, 0x22])],
    ["a lone surrogate in UTF-8", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ["nothing", Buffer.alloc(0)],
    ["two values", Buffer.from("1 2")],
    ["a trailing comma", Buffer.from("[1,]")],
    ["NaN", Buffer.from("NaN")],
  ])("refuses a body of %s", (_what, body) => {
    const header = encodeFrame(ping).subarray(0, frameHeaderBytes);
    header.writeUInt32BE(body.length, 12);
    expect(() => [...new FrameDecoder().push(Buffer.concat([header, body]))]).toThrow(
      expect.objectContaining({ code: "BAD_FRAME", message: "the body of a frame is not JSON" }),
    );
  });
});

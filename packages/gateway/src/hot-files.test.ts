import { describe, expect, test } from "bun:test";
import type { FileInfo } from "@dsm/protocol";
import { HotFiles } from "./hot-files.ts";
import { GatewayMetrics } from "./metrics.ts";

const content = crypto.getRandomValues(new Uint8Array(10_000));

function fileOf(bytes: Uint8Array, blobId: string): FileInfo {
  const sha256 = Bun.SHA256.hash(bytes, "hex");
  return {
    user: "ann",
    fileId: "f",
    group: "g1",
    blobId,
    sha256,
    sizeBytes: bytes.length,
  } as FileInfo;
}

/** A source that counts how often it is opened. */
function coldSource(bytes: Uint8Array<ArrayBuffer>) {
  const opened: [number, number][] = [];
  const open = (start: number, endExclusive: number) => {
    opened.push([start, endExclusive]);
    return new Blob([bytes.subarray(start, endExclusive)]);
  };
  return { opened, open };
}

async function read(hot: HotFiles, file: FileInfo, cold: ReturnType<typeof coldSource>) {
  const body = await hot.source(file, cold).open(100, 200);
  return new Uint8Array(await new Response(body).arrayBuffer());
}

function hotFiles(maxBytes = 1_000_000, fileMaxBytes = 20_000) {
  const metrics = new GatewayMetrics();
  return { hot: new HotFiles({ maxBytes, fileMaxBytes, metrics }), metrics };
}

describe("small files in memory", () => {
  test("are read whole once, and every range after that comes from memory", async () => {
    const { hot, metrics } = hotFiles();
    const file = fileOf(content, "0000000000000001");
    const cold = coldSource(content);
    for (let i = 0; i < 3; i++)
      expect(await read(hot, file, cold)).toEqual(content.slice(100, 200));
    expect(cold.opened).toEqual([[0, content.length]]);
    const text = await metrics.text();
    expect(text).toContain('dsm_gateway_hot_total{result="hit"} 2\n');
    expect(text).toContain('dsm_gateway_hot_total{result="miss"} 1\n');
  });

  test("are held against the digest of the catalog, and damage is neither kept nor served", async () => {
    const { hot } = hotFiles();
    const file = fileOf(content, "0000000000000001");
    const damaged = content.slice();
    damaged[5_000]! ^= 1;
    expect(read(hot, file, coldSource(damaged))).rejects.toMatchObject({ code: "DATA_CORRUPT" });
    expect(read(hot, file, coldSource(content.slice(1)))).rejects.toMatchObject({
      code: "DATA_CORRUPT",
    });
    expect(await read(hot, file, coldSource(content))).toEqual(content.slice(100, 200));
  });

  test("never take more than their bound, however many and however small they are", async () => {
    const { hot, metrics } = hotFiles(100_000);
    for (let i = 0; i < 500; i++) {
      const tiny = content.slice(0, 200 + (i % 7));
      await read(hot, fileOf(tiny, `${i}`.padStart(16, "0")), coldSource(tiny));
    }
    const kept = Number(/dsm_gateway_hot_bytes (\d+)/.exec(await metrics.text())?.[1]);
    expect(kept).toBeGreaterThan(90_000);
    expect(kept).toBeLessThanOrEqual(100_000);
  });

  test("are only those that fit", () => {
    const { hot } = hotFiles(15_000);
    expect(hot.takes(fileOf(content, "0000000000000001"))).toBe(true);
    expect(hot.takes(fileOf(new Uint8Array(15_000), "0000000000000002"))).toBe(false);
    expect(hot.takes(fileOf(new Uint8Array(20_001), "0000000000000003"))).toBe(false);
    expect(hotFiles(0).hot.takes(fileOf(content, "0000000000000001"))).toBe(false);
  });
});

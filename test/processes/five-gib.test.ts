import { describe, expect, test } from "bun:test";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DsmProcesses } from "./dsm-processes.ts";

const sizeBytes = 5 * 1024 ** 3;
/** At both sides of what 32-bit numbers hold, and at both ends. */
const marks = [0, 2 ** 31 - 8, 2 ** 31, 2 ** 32 - 8, 2 ** 32, sizeBytes - 16];
const rssMaxKib = 200 * 1024;

/** Sparse, with 16 bytes of its own at every mark. */
async function makeSource(path: string): Promise<void> {
  const file = await open(path, "w");
  await file.truncate(sizeBytes);
  for (const at of marks) await file.write(markOf(at), 0, 16, at);
  await file.close();
}

function markOf(at: number): Buffer {
  return Buffer.from(at.toString(16).padStart(16, "#"));
}

/** The most memory that the process ever had. */
async function peakRssKib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
}

describe("a file of 5 GiB", () => {
  for (const delivery of ["local", "proxy"] as const) {
    test(`goes up, comes down by ranges, and memory stays flat, delivery ${delivery}`, async () => {
      await using cluster = await DsmProcesses.start({ delivery, storages: 1 });
      const source = join(cluster.dataDir, "big.bin");
      await makeSource(source);
      const viaHttp = delivery === "proxy";
      const url = `${cluster.http}/media/ann/big.bin`;
      if (viaHttp) {
        // Through the gateway, so that its memory is measured on the way up, too.
        const put = Bun.spawn(["curl", "-sS", "-f", "-T", source, url], { stdout: "ignore" });
        expect(await put.exited).toBe(0);
      } else {
        const { code, stderr } = await cluster.run("upload", source, "--user", "ann");
        expect([code, stderr]).toEqual([0, ""]);
      }
      for (const at of marks) {
        const range = `bytes=${at}-${Math.min(at + 15, sizeBytes - 1)}`;
        const part = await fetch(url, { headers: { Range: range } });
        const expected = await Bun.file(source)
          .slice(at, at + 16)
          .bytes();
        expect(part.headers.get("content-range")).toBe(`${range.replace("=", " ")}/${sizeBytes}`);
        expect(await part.bytes()).toEqual(expected);
      }
      const whole = Bun.spawn(["sh", "-c", `curl -sS -f ${url} | cmp - ${source}`], {
        stderr: "inherit",
      });
      expect(await whole.exited).toBe(0);
      const peaks = {
        gateway: await peakRssKib(cluster.gateway.pid),
        storage: await peakRssKib(cluster.storages[0]!.pid),
      };
      console.log(`peak RSS, delivery ${delivery}: ${JSON.stringify(peaks)} KiB`);
      expect(Math.max(peaks.gateway, peaks.storage)).toBeLessThan(rssMaxKib);
    }, 300_000);
  }
});

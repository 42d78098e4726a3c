import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { blobIdFromNumber, blobPath, type FileInfo, limits } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { syncfsSupport } from "../sync/file-system.ts";
import { readBlob } from "./blob-reading.ts";

const fincore = Bun.which("fincore");
await using probe = await tempDir();
const { isSafe: isLocal, why } = await syncfsSupport(probe.path);
// A tmpfs has no disk to read from.
const missing = fincore === null ? "fincore of util-linux is not here" : isLocal ? undefined : why;

/** How much of a file the kernel has in memory. */
function cachedBytes(path: string): number {
  const { stdout } = Bun.spawnSync([fincore ?? "", "-b", "-n", "-o", "RES", path]);
  return Number(stdout.toString().trim());
}

/** What this process has had read from disks. */
function bytesFromDisks(): number {
  return Number(/^read_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
}

test.skipIf(missing !== undefined)(
  "a scrub reads from the disk, and leaves nothing in memory",
  async () => {
    await using dir = await tempDir();
    const blobId = blobIdFromNumber(1);
    const sizeBytes = 10 * limits.pieceBytes + 5;
    const path = join(dir.path, blobPath(blobId));
    await mkdir(dirname(path), { recursive: true });
    await Bun.write(path, new Uint8Array(sizeBytes));
    // What is not on the disk yet cannot be forgotten.
    Bun.spawnSync(["sync", path]);
    await Bun.file(path).bytes();
    // Most of it: another process may need the memory.
    expect(cachedBytes(path)).toBeGreaterThan(sizeBytes / 2);
    const cached: number[] = [];
    const pace = async () => void cached.push(cachedBytes(path));
    const { signal } = new AbortController();
    const file = { blobId, sizeBytes } as FileInfo;
    const before = bytesFromDisks();
    await readBlob(dir.path, file, { signal, pace });
    expect(bytesFromDisks() - before).toBeGreaterThanOrEqual(sizeBytes);
    expect(cachedBytes(path)).toBe(0);
    await readBlob(dir.path, file, { signal, pace });
    // Asked before each piece, the second time: all is forgotten, and nothing was read ahead.
    expect(cached.slice(11)).toEqual(Array(11).fill(0));
  },
);

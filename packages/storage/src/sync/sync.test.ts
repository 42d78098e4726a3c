import { describe, expect, test } from "bun:test";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Journal } from "@dsm/journal";
import { createLog, silentLog } from "@dsm/log";
import { blobIdFromNumber, DsmError } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { mountMissing, SmallDisk } from "../testing/small-disk.ts";
import { FileSync } from "./file-sync.ts";
import { reportsErrors, syncfsSupport } from "./file-system.ts";
import { NoSync } from "./no-sync.ts";
import { openGroupSync } from "./open-group-sync.ts";
import { SyncfsSync } from "./syncfs-sync.ts";
import { syncfs } from "./syncfs-thread.ts";

const record = { kind: "abort", id: blobIdFromNumber(1), version: 1, atMs: 0 } as const;
const missing = mountMissing();

describe("which way is taken", () => {
  test("syncfs tells errors since Linux 5.8", () => {
    const kernels = ["4.19.0", "5.7.19-rc1", "5.8.0", "5.10.0-28-amd64", "6.1.0", "10.0"];
    expect(kernels.map(reportsErrors)).toEqual([false, false, true, true, true, true]);
    expect(reportsErrors("unknown")).toBe(false);
  });

  test.skipIf(missing !== undefined)("only known local file systems get syncfs", async () => {
    await using disk = await SmallDisk.mount(1024 * 1024);
    expect((await syncfsSupport(disk.path)).isSafe).toBe(false);
    expect(await openGroupSync(disk.path, "auto", silentLog)).toBeInstanceOf(FileSync);
    const refused = await openGroupSync(disk.path, "syncfs", silentLog).catch((e: unknown) => e);
    expect(refused).toMatchObject({ code: "BAD_CONFIG" });
  });

  test("auto is syncfs exactly where that is safe", async () => {
    await using dir = await tempDir();
    const { isSafe } = await syncfsSupport(dir.path);
    await using sync = await openGroupSync(dir.path, "auto", silentLog);
    expect(sync).toBeInstanceOf(isSafe ? SyncfsSync : FileSync);
  });

  test("none is loud", async () => {
    const said: string[] = [];
    const log = createLog("warn", { write: (line: string) => void said.push(line) });
    expect(await openGroupSync("/", "none", log)).toBeInstanceOf(NoSync);
    expect(said.join("")).toContain("does NOT survive a power cut");
  });
});

describe("syncfs", () => {
  test("is done off this thread, and says what the kernel says", async () => {
    await using dir = await tempDir();
    await using folder = await open(dir.path, "r");
    await Promise.all([syncfs(folder.fd), syncfs(folder.fd)]);
    const closed = folder.fd + 10_000;
    expect(await syncfs(closed).catch((error: unknown) => error)).toMatchObject({ code: "EBADF" });
    await syncfs(folder.fd);
  });

  test("a failed one is the storage's failure, and its part of the journal is given up", async () => {
    await using dir = await tempDir();
    await using journal = await Journal.open(dir.path, "s1", "life");
    const sync = await SyncfsSync.open(dir.path, { isSafe: true, why: "" });
    await journal.write([record]);
    await sync[Symbol.asyncDispose]();
    const failed = await sync.sync(journal).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(DsmError);
    expect(failed).toMatchObject({ code: "STORAGE_FAILED" });
    await journal.append([record]);
    const parts = new Bun.Glob("journal/s1/*.log").scan(dir.path);
    expect((await Array.fromAsync(parts)).length).toBe(2);
  });
});

describe("FileSync", () => {
  const script = (root: string) => `
    const { Journal } = await import(${JSON.stringify(import.meta.resolve("@dsm/journal"))});
    const { FileSync } = await import(${JSON.stringify(import.meta.resolve("./file-sync.ts"))});
    const journal = await Journal.open(${JSON.stringify(root)}, "s1", "life");
    const sync = new FileSync(${JSON.stringify(root)});
    console.error("BEGIN");
    for (let turn = 0; turn < 3; turn++) {
      await journal.write([${JSON.stringify(record)}]);
      await sync.sync(journal, new Set(["blobs/a/b", "blobs/a/c"]));
    }
    await journal[Symbol.asyncDispose]();
  `;
  const strace = Bun.which("strace");

  test.skipIf(strace === null)("syncs each directory once, and those above once ever", async () => {
    await using dir = await tempDir();
    await Bun.$`mkdir -p ${join(dir.path, "blobs/a/b")} ${join(dir.path, "blobs/a/c")}`.quiet();
    const flags = ["-f", "-y", "-e", "trace=fsync,fdatasync,write", "-s", "8"];
    const child = Bun.spawn(
      [strace ?? "strace", ...flags, process.execPath, "-e", script(dir.path)],
      { stdout: "ignore", stderr: "pipe" },
    );
    const traced = (await new Response(child.stderr).text()).split("BEGIN").at(-1) ?? "";
    const synced = [...traced.matchAll(/f(?:data)?sync\(\d+<([^>]*)>/g)].map(([, path = ""]) =>
      path.endsWith(".log") ? "journal" : path.slice(dir.path.length + 1),
    );
    const counts = Object.fromEntries(
      [...Map.groupBy(synced, (path) => path)].map(([path, all]) => [path, all.length]),
    );
    expect(counts).toEqual({
      journal: 3,
      "blobs/a/b": 3,
      "blobs/a/c": 3,
      "blobs/a": 1,
      blobs: 1,
      "": 1,
    });
  });
});

import { describe, expect, test } from "bun:test";
import { closeSync, existsSync, openSync } from "node:fs";
import { link, mkdir, open, readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FaultyFs, faultyFsMissing } from "./faulty-fs.ts";

describe.skipIf(faultyFsMissing !== undefined)("a faulty file system", () => {
  test("is an ordinary one at first", async () => {
    await using fs = await FaultyFs.mount();
    await mkdir(join(fs.path, "a/b"), { recursive: true });
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    await writeFile(join(fs.path, "a/b/c"), bytes);
    await writeFile(join(fs.path, "a/b/c"), "end", { flag: "a" });
    await link(join(fs.path, "a/b/c"), join(fs.path, "a/d"));
    await unlink(join(fs.path, "a/b/c"));
    expect(await readFile(join(fs.path, "a/d"))).toEqual(
      Buffer.concat([bytes, Buffer.from("end")]),
    );
    expect(await readdir(join(fs.path, "a"), { recursive: true })).toEqual(["b", "d"]);
    expect(fs.hits).toEqual([]);
  });

  test("fails where it is told to, as often as it is told", async () => {
    await using fs = await FaultyFs.mount();
    const path = join(fs.path, "f");
    await fs.inject({ op: "write", path: "^/f$", error: "EIO", after: 1, times: 1 });
    await using file = await open(path, "w");
    await file.write("one");
    await expect(file.write("two")).rejects.toMatchObject({ code: "EIO" });
    await file.write("three", 3);
    await fs.inject({ op: "fsync", error: "ENOSPC" });
    await expect(file.datasync()).rejects.toMatchObject({ code: "ENOSPC" });
    await fs.inject({ op: "write", short: 2 });
    expect(await file.write(Buffer.from("abcdef"), 0, 6, 8)).toMatchObject({ bytesWritten: 2 });
    await fs.inject();
    expect(await readFile(path, "utf8")).toBe("onethreeab");
    expect(fs.hits.map(({ op }) => op)).toEqual(["write", "fsync", "write"]);
  });

  test("keeps over a power cut what was synced, and nothing else", async () => {
    await using fs = await FaultyFs.mount();
    const at = (name: string) => join(fs.path, name);
    const sync = async (name: string) => {
      await using handle = await open(at(name), "r");
      await handle.sync();
    };
    await mkdir(at("kept"));
    await sync(".");
    await writeFile(at("kept/whole"), "12345");
    await sync("kept/whole");
    await link(at("kept/whole"), at("kept/twin"));
    await writeFile(at("kept/bytes-lost"), "12345");
    await sync("kept");
    await writeFile(at("kept/whole"), "later", { flag: "a" });
    await writeFile(at("kept/name-lost"), "12345");
    await sync("kept/name-lost");
    await unlink(at("kept/twin"));
    await mkdir(at("folder-lost"));
    await writeFile(at("folder-lost/f"), "12345");
    await sync("folder-lost/f");
    await sync("folder-lost");
    const survived = await fs.powerCut();
    expect((await readdir(survived, { recursive: true })).toSorted()).toEqual([
      "kept",
      "kept/bytes-lost",
      "kept/twin",
      "kept/whole",
    ]);
    const survivors = ["whole", "twin", "bytes-lost"].map((name) =>
      readFile(join(survived, "kept", name), "utf8"),
    );
    expect(await Promise.all(survivors)).toEqual(["12345", "12345", ""]);
    expect(existsSync(at("kept/whole"))).toBe(false);
  });

  test("is gone when its scope ends, also with files open", async () => {
    let held = 0;
    const left = await (async () => {
      await using fs = await FaultyFs.mount();
      held = openSync(join(fs.path, "f"), "w");
      return fs.path;
    })();
    closeSync(held);
    expect(existsSync(left)).toBe(false);
    expect(await readFile("/proc/mounts", "utf8")).not.toContain(left);
  });
});

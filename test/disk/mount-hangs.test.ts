import { expect, test } from "bun:test";
import { mkdir, readdir, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { bytesSource } from "@dsm/client";
import { startCluster } from "@dsm/cluster";
import { FaultyFs, faultyFsMissing, runTool, startProcess, tempDir, until } from "@dsm/testkit";
import { SickMember } from "./sick-member.ts";

const storageProcess = resolve(import.meta.dir, "../crash/storage-process.ts");
const why = faultyFsMissing === undefined ? "" : ` (skipped: ${faultyFsMissing})`;

test.skipIf(faultyFsMissing !== undefined)(
  `a file system that hangs stops the process of one member, and no beat of it${why}`,
  async () => {
    await using dir = await tempDir();
    await using fs = await FaultyFs.mount();
    await mkdir(join(dir.path, "groups"));
    await symlink(fs.source, join(dir.path, "groups/g1"));
    const terms = { storages: 1, trackers: 1, reserveBytes: 0, delivery: "proxy" } as const;
    await using cluster = await startCluster({ dataDir: dir.path, ...terms });
    const options = {
      id: "sick",
      group: "g1",
      root: fs.path,
      trackers: cluster.trackerEndpoints,
      idServers: cluster.ids.map(({ endpoint }) => endpoint),
      secret: cluster.secret,
      catalogUrl: `sqlite:${join(dir.path, "catalog.db")}`,
      trashGraceMs: 1e9,
      reapIntervalMs: 1e8,
    };
    // By itself: what hangs holds threads, of which a process has few.
    const cmd = [process.execPath, storageProcess, JSON.stringify(options)];
    await using _sick = await startProcess({ cmd, ready: /ready \S+/ });
    await using client = cluster.client();
    const sick = async () => {
      const { groups } = await client.status();
      const member = groups[0]?.members.find(({ storageId }) => storageId === "sick");
      if (member === undefined) throw new Error("it has not joined");
      return member;
    };
    const put = (fileId: string) =>
      client.upload({ user: "ann", fileId, source: bytesSource(Buffer.from(fileId)) });
    const read = async (fileId: string) =>
      (await fetch(`${cluster.http}/media/ann/${fileId}`)).text();
    await put("before");

    fs.signal("SIGSTOP");
    try {
      await until("it says so", async () => (await sick()).failing === true);
      await put("meanwhile");
      expect(await read("before")).toBe("before");
      const { lastBeatAtMs } = await sick();
      const goesOn = async () => (await sick()).lastBeatAtMs > lastBeatAtMs + 3_000;
      await until("it goes on to beat", goesOn);
      expect(await sick()).toMatchObject({ online: true, failing: true });
    } finally {
      fs.signal("SIGCONT");
    }
    await until("it is well", async () => (await sick()).failing === false);
    // It alone has to do all now.
    await cluster.storages[0]!.drain();
    await put("after");
    expect(await read("meanwhile")).toBe("meanwhile");
    expect(await read("after")).toBe("after");
  },
  60_000,
);

test.skipIf(faultyFsMissing !== undefined)(
  `a FUSE server that is killed (ENOTCONN), its mount taken away, and mounted anew${why}`,
  async () => {
    await using at = await SickMember.open();
    expect((await at.put("before", "one")).status).toBe(201);
    at.fs.signal("SIGKILL");
    await until("it says so", () => at.isFailing());
    expect((await at.read("before")).status).toBe(503);
    const refused = await at.put("meanwhile", "two");
    expect([refused.status, refused.code]).toEqual([503, "STORAGE_FAILED"]);
    expect(refused.detail).toMatch(/ENOTCONN|not connected/);

    await runTool(["umount", "--lazy", at.fs.path]);
    await until("its probe meets the bare folder", async () => {
      return (await at.put("meanwhile", "two")).detail.includes("nothing is mounted there");
    });
    expect(await readdir(at.fs.path)).toEqual([]);
    await at.putAnywhere("elsewhere", "three");

    await runTool(["mount", "--bind", at.fs.source, at.fs.path]);
    try {
      await until("it is well", async () => !(await at.isFailing()));
      expect(await (await at.read("elsewhere")).text()).toBe("three");
      expect((await at.put("after", "four")).status).toBe(201);
    } finally {
      await runTool(["umount", "--lazy", at.fs.path]);
    }
  },
  60_000,
);

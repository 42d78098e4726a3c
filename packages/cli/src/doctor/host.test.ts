import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "@dsm/config";
import { clusterSecret } from "@dsm/protocol";
import { mountTmpfs, tempDir, tmpfsMissing } from "@dsm/testkit";
import { dsmCommand } from "../testing/dsm.ts";
import { checkHost } from "./host.ts";

const mib = 1024 * 1024;

/** What is said of the root of a storage that is configured for this host. */
async function lookAt(root: string, more: Record<string, string> = {}) {
  const secret = "5".repeat(64);
  const storage = await loadConfig("storage", {
    flags: {},
    env: {
      DSM_SECRET: secret,
      DSM_ROOT: root,
      DSM_ID: "s1",
      DSM_GROUP: "g1",
      DSM_TRACKERS: "127.0.0.1:1",
      DSM_ID_SERVERS: "127.0.0.1:1",
      DSM_CATALOG: "sqlite:/nowhere",
      DSM_RESERVE: "1MiB",
      ...more,
    },
  });
  const nothing = { trackers: [], idServers: [], catalogUrl: undefined, gateways: [], media: [] };
  const seen = await checkHost({ ...nothing, secret: clusterSecret(secret), storage });
  return seen.find(({ object }) => object === `${root} of group g1`);
}

test.skipIf(tmpfsMissing !== undefined)("a root that has no room, or no inodes", async () => {
  await using disk = await mountTmpfs({ sizeBytes: 4 * mib, inodes: 100 });
  expect(await lookAt(disk.path)).toMatchObject({ level: "ok" });
  await writeFile(join(disk.path, "big"), new Uint8Array(3.5 * mib));
  expect(await lookAt(disk.path)).toMatchObject({
    level: "error",
    what: expect.stringMatching(/are free, less than the reserve of/),
    remedy: expect.stringContaining("it takes no uploads"),
  });
  await writeFile(join(disk.path, "big"), "");
  await Promise.all(Array.from({ length: 95 }, (_, n) => mkdir(join(disk.path, `d${n}`))));
  expect(await lookAt(disk.path)).toMatchObject({
    level: "warning",
    what: expect.stringMatching(/^only [0-4] of 100 inodes are free$/),
  });
});

test("a root that is not there, and one where nothing is synced", async () => {
  await using dir = await tempDir();
  expect(await lookAt(dir.path)).toMatchObject({ level: "ok" });
  expect(await lookAt(dir.path, { DSM_SYNC: "none" })).toMatchObject({
    level: "warning",
    what: expect.stringContaining("do NOT survive a power cut"),
  });
  expect(await lookAt(join(dir.path, "absent"))).toMatchObject({
    level: "error",
    what: "it cannot be looked at: ENOENT",
  });
});

test("a small limit of open files is told, with what to set", async () => {
  const [bun, main] = dsmCommand;
  const open = async (limit: number) => {
    const script = `ulimit -n ${limit} && exec "$0" "$1" doctor --json --tracker 127.0.0.1:1`;
    await using child = Bun.spawn(["sh", "-c", script, bun, main], {
      env: { ...process.env, DSM_SECRET: "5".repeat(64) },
      stdout: "pipe",
    });
    const { findings } = (await child.stdout.json()) as { findings: Array<{ object: string }> };
    return findings.find(({ object }) => object === "open files");
  };
  expect(await open(16_384)).toMatchObject({ level: "ok" });
  expect(await open(1_024)).toMatchObject({
    level: "warning",
    what: expect.stringContaining("no more than 1024"),
    remedy: expect.stringContaining("LimitNOFILE"),
  });
});

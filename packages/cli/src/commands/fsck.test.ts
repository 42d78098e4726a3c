import { afterAll, beforeAll, expect, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { blobPath } from "@dsm/protocol";
import { tempDir, until } from "@dsm/testkit";
import { dsm, spawnDsm } from "../testing/dsm.ts";

const stack = new AsyncDisposableStack();
let cluster: Cluster;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = stack.use(await tempDir()).path;
  const dataDir = join(folder, "data");
  const options = { dataDir, groups: 2, storages: 1, reserveBytes: 0, orphanAgeMs: 0 };
  cluster = stack.use(await startCluster(options));
  env = { DSM_TRACKERS: cluster.trackerEndpoints.join(","), DSM_SECRET: cluster.secret };
});
afterAll(() => stack.disposeAsync());

const run = (line: string) => dsm(line.split(" "), { cwd: folder, env });

async function put(user: string, fileId: string) {
  await using client = cluster.client();
  const source = bytesSource(Buffer.from(`the text of ${fileId}`));
  return (await client.upload({ user, fileId, source })).file;
}

test("says nothing of sound groups, and checks all of them", async () => {
  const { exit, out, err } = await run("fsck --digests --rate 50MiB");
  expect({ exit, err }).toEqual({ exit: 0, err: "" });
  expect(out).toMatch(/^group g1: .*: nothing is wrong\ngroup g2: .*: nothing is wrong\n$/);
});

test("findings are lines on stdout with what to do, 1 while any is left, and JSON", async () => {
  const file = await put("ann", "a");
  const root = cluster.groupRoot(file.group);
  await writeFile(join(root, "blobs/notes.txt"), "of an operator");
  const seen = await run("fsck");
  expect([seen.exit, seen.out]).toEqual([
    1,
    expect.stringMatching(/^risk {2}wrong-place {2}blobs\/notes\.txt: .*; with --repair: .*$/m),
  ]);
  const mended = await run(`fsck --repair --group ${file.group}`);
  expect([mended.exit, mended.out]).toEqual([
    0,
    expect.stringMatching(/; repaired: moved to lost\+found\/notes\.txt-.*\n.*1 of 1 repaired\n$/),
  ]);
  await rm(join(root, blobPath(file.blobId)));
  const { exit, out } = await run("fsck --repair --json");
  const lines = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(exit).toBe(1);
  expect(lines.filter((line) => "finding" in line)).toMatchObject([
    { finding: { group: file.group, kind: "missing", user: "ann", fileId: "a", version: 1 } },
  ]);
  expect(lines.flatMap((line) => line.done?.group ?? []).toSorted()).toEqual(["g1", "g2"]);
});

test("wrong usage and groups that are not there have exit codes of their own", async () => {
  expect(await run("fsck --rate fast")).toMatchObject({ exit: 2 });
  expect(await run("fsck --group nope")).toMatchObject({
    exit: 5,
    err: expect.stringContaining("nope"),
  });
  const nowhere = await dsm(["fsck"], {
    cwd: folder,
    env: { ...env, DSM_TRACKERS: "127.0.0.1:1" },
  });
  expect(nowhere.exit).toBe(5);
});

test("Ctrl-C ends it on the storage as well", async () => {
  await put("ann", "b");
  await put("ann", "c");
  const { group } = await put("ann", "d");
  const args = ["fsck", "--digests", "--rate", "1B", "--group", group];
  const child = spawnDsm(args, { cwd: folder, env });
  const storage = cluster.storages.find(({ name }) => name.startsWith(group))!.running;
  await until("the storage is at work", () => storage.activeRequests > 0);
  expect(await run(`fsck --group ${group}`)).toMatchObject({ exit: 4 });
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
  await until("it is not any more", () => storage.activeRequests === 0);
  expect((await run(`fsck --group ${group}`)).exit).toBe(1);
});

test("one group that cannot be reached keeps no other one from being checked", async () => {
  await cluster.storages[0]!.kill();
  const { exit, out, err } = await run("fsck");
  expect([exit, out]).toEqual([5, expect.stringContaining("group g2: ")]);
  expect(err).toMatch(/g1/);
  await cluster.storages[0]!.start();
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Cluster, startCluster } from "@dsm/cluster";
import { tempDir, until } from "@dsm/testkit";
import { dsm } from "../testing/dsm.ts";

const stack = new AsyncDisposableStack();
let cluster: Cluster;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = stack.use(await tempDir()).path;
  cluster = stack.use(await startCluster({ dataDir: join(folder, "data"), reserveBytes: 0 }));
  env = { DSM_TRACKERS: cluster.trackerEndpoints.join(","), DSM_SECRET: cluster.secret };
  await writeFile(join(folder, "film"), "x".repeat(2048));
  await writeFile(join(folder, "song"), "la");
});
afterAll(() => stack.disposeAsync());

const run = (line: string) => dsm(line.split(" "), { cwd: folder, env });
const json = async (line: string) => JSON.parse((await run(`${line} --json`)).out);

test("what was deleted is listed, restored, and removed for good", async () => {
  await run("upload film song --user ann");
  await run("delete film song --user ann");
  const { blobs } = await json("trash list --user ann");
  const [film] = blobs.filter((it: { file: { fileId: string } }) => it.file.fileId === "film") as [
    { file: { blobId: string } },
  ];
  const listed = await run("trash list --user ann");
  expect(listed.out).toMatch(/^ +SIZE +SINCE +WHY +BLOB +FILE\n/);
  expect(listed.out).toMatch(/2\.0 KiB {2}[-\d]+ [:\d]+ UTC {2}deleted {2}[0-9a-f]{16} {2}film\n/);
  const page = await run("trash list --user ann --limit 1");
  expect(page.err).toMatch(/^dsm: there are more: --after [0-9a-f]{16}\n$/);

  expect(await run("trash restore film nope --user ann")).toEqual({
    exit: 3,
    out: "film  2.0 KiB\n",
    err: expect.stringMatching(/^dsm: "nope" .*not in the trash.*\ndsm: restored 1 of 2 files\n$/),
  });
  const again = await run("trash restore film --user ann");
  expect([again.exit, again.err]).toEqual([4, expect.stringContaining("film exists")]);
  const { blobId } = film.file;
  const other = await json(`trash restore film --user ann --blob ${blobId} --as b/film --ttl 7d`);
  expect(other.files[0]).toMatchObject({ fileId: "b/film", sizeBytes: 2048 });
  expect(other.files[0].expiresAtMs - other.files[0].modifiedAtMs).toBe(7 * 86_400_000);

  const unasked = await run("trash empty --user ann");
  expect([unasked.exit, unasked.err]).toEqual([2, expect.stringContaining("give --yes")]);
  const one = await run("trash empty song --user ann --yes");
  expect(one).toEqual({ exit: 0, out: "removed 1 blobs, 2 B\n", err: "" });
  expect(await json("trash empty --user ann --yes")).toEqual({
    blobs: 1,
    bytes: 2048,
    kept: 0,
    failed: 0,
  });
  expect((await run("trash list --user ann")).out).toBe("");
  for (const what of ["--user nobody", "nope --user ann"]) {
    const failed = await run(`trash empty ${what} --yes`);
    expect(failed).toEqual({ exit: 3, out: "", err: expect.stringMatching(/^dsm: [^\n]+\n$/) });
  }
  expect((await run("download b/film --user ann -o -")).out).toBe("x".repeat(2048));
});

test("usage is shown of a user and of groups, and a quota is set and taken away", async () => {
  await run("upload film --user bob");
  const set = await run("user quota bob 4KiB");
  expect(set).toMatchObject({ exit: 0, err: "" });
  expect(set.out).toContain("quota  4096 bytes (4.0 KiB), 50 % used");
  const over = await run("upload film --user bob --id second --json");
  expect(over.exit).toBe(0);
  const third = await run("upload song --user bob");
  expect([third.exit, third.err]).toEqual([
    1,
    "dsm: user bob has 4096 bytes of 4096 allowed, and the file has 2; delete files, or have " +
      "the quota raised with dsm user quota\n",
  ]);
  const low = await run("user quota bob 1KiB");
  expect([low.exit, low.err]).toEqual([0, expect.stringContaining("has more than that")]);
  expect(await json("usage --user bob")).toEqual({
    user: "bob",
    group: "g1",
    liveFiles: 2,
    liveBytes: 4096,
    trashBlobs: 0,
    trashBytes: 0,
    quotaBytes: 1024,
  });
  expect((await run("user quota bob none")).out).toContain("quota  none");
  const { groups } = await json("usage");
  expect(groups).toEqual([expect.objectContaining({ group: "g1", liveFiles: 4 })]);
  expect((await run("usage --group g1")).out).toMatch(/^GROUP +FILES +LIVE .*\ng1 +4 +8\.0 KiB/);
  const exits = [
    await run("usage --user nobody"),
    await run("user quota nobody 1GiB"),
    await run("user quota bob 5"),
    await run("user quota bob lots"),
    await run("usage --group g7"),
    await run("usage --user bob --group g1"),
    await run("trash list --user ann --after xyz"),
    await run("trash restore a b --user ann --as c"),
  ].map(({ exit }) => exit);
  expect(exits).toEqual([3, 3, 2, 2, 5, 2, 2, 2]);
});

test("a file with a time to live shows it, and is gone then", async () => {
  const { files } = await json("upload song --user cid --ttl 3s");
  const [{ expiresAtMs }] = files as [{ expiresAtMs: number }];
  expect((await run("stat song --user cid")).out).toMatch(
    /\nexpires +\d{4}-\d\d-\d\d [:\d]+ UTC\n/,
  );
  await run("upload film --user cid");
  const { out } = await run("list --user cid");
  expect(out).toMatch(
    / MODIFIED +EXPIRES +TYPE +FILE\n.*UTC {2}never .*film\n.*UTC .*UTC .*song\n/,
  );
  await until("it has expired", () => Date.now() >= expiresAtMs);
  expect((await run("download song --user cid -o -")).exit).toBe(3);
  const wrong = await run("upload song --user cid --ttl 3");
  expect([wrong.exit, wrong.err]).toEqual([2, expect.stringContaining("--ttl")]);
});

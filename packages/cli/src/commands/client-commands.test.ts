import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Cluster, startCluster } from "@dsm/cluster";
import { tempDir, until } from "@dsm/testkit";
import { dsm, dsmCommand, Lines, spawnDsm } from "../testing/dsm.ts";

const stack = new AsyncDisposableStack();
let cluster: Cluster;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = stack.use(await tempDir()).path;
  cluster = stack.use(await startCluster({ dataDir: join(folder, "data"), reserveBytes: 0 }));
  env = { DSM_TRACKERS: cluster.trackerEndpoints.join(","), DSM_SECRET: cluster.secret };
});
afterAll(() => stack.disposeAsync());

const run = (line: string, stdin?: Blob) =>
  dsm(line.split(" "), { cwd: folder, env, ...(stdin === undefined ? {} : { stdin }) });

const big = crypto.getRandomValues(new Uint8Array(65_536)).toHex().repeat(32);
const sha256 = new Bun.CryptoHasher("sha256").update(big).digest("hex");

async function stored(user: string): Promise<string[]> {
  await using client = cluster.client();
  const { files } = await client.list({ user, limit: 100 });
  return files.map((it) => it.fileId);
}

test("a folder goes up, is listed, described, comes down equal and is deleted", async () => {
  await mkdir(join(folder, "album/b"), { recursive: true });
  await writeFile(join(folder, "album/1.mp3"), big);
  await writeFile(join(folder, "album/b/2 ä.txt"), "");
  expect(await run("upload album --user ann")).toEqual({
    exit: 0,
    out: "1.mp3  4.0 MiB\nb/2 ä.txt  0 B\n",
    err: "dsm: uploaded 2 of 2 files\n",
  });
  const listed = JSON.parse((await run("list --user ann --json")).out);
  expect(listed.files.map((it: { fileId: string }) => it.fileId)).toEqual(["1.mp3", "b/2 ä.txt"]);
  expect((await run("list --user ann --limit 1")).err).toBe("dsm: there are more: --after 1.mp3\n");
  const info = JSON.parse((await run("stat 1.mp3 --user ann --json")).out);
  expect(info).toMatchObject({
    sizeBytes: big.length,
    sha256,
    mediaType: "audio/mpeg",
    version: 1,
  });

  expect(await run("download 1.mp3 --user ann")).toMatchObject({ exit: 0, err: "" });
  expect(await Bun.file(join(folder, "1.mp3")).text()).toBe(big);
  expect((await run("download 1.mp3 --user ann -o -")).out).toBe(big);

  expect(await run("delete 1.mp3 nope --user ann")).toEqual({
    exit: 3,
    out: "deleted 1 of 2 files\n",
    err: expect.stringMatching(/^dsm: .*"nope".*\n$/),
  });
  expect(await stored("ann")).toEqual(["b/2 ä.txt"]);
});

test("standard input goes up under its id; a second time only with --overwrite", async () => {
  const args = "upload - --user bob --id a/b.txt --type text/plain";
  expect((await run(args, new Blob(["one"]))).exit).toBe(0);
  const again = await run(`${args} --json`, new Blob(["two"]));
  expect({ exit: again.exit, code: JSON.parse(again.err).error.code }).toEqual({
    exit: 4,
    code: "FILE_EXISTS",
  });
  expect((await run(`${args} --overwrite`, new Blob(["two"]))).exit).toBe(0);
  expect((await run("download a/b.txt --user bob -o -")).out).toBe("two");
});

test("one failure does not keep the other files back, and decides the exit code", async () => {
  await writeFile(join(folder, "x.txt"), "x");
  await writeFile(join(folder, "y.txt"), "y");
  await run("upload x.txt --user cleo");
  const { exit, out, err } = await run("upload x.txt y.txt --user cleo --json");
  const result = JSON.parse(out);
  expect({ exit, failed: result.failed, errors: err.split("\n").length - 1 }).toEqual({
    exit: 4,
    failed: 1,
    errors: 1,
  });
  expect(await stored("cleo")).toEqual(["x.txt", "y.txt"]);
});

test("files go up although nobody reads what is said about them", async () => {
  const line = `"$@" | true; echo "\${PIPESTATUS[0]}"`;
  const upload = ["upload", "x.txt", "y.txt", "--user", "pip"];
  await writeFile(join(folder, "x.txt"), "x");
  await writeFile(join(folder, "y.txt"), "y");
  await using shell = Bun.spawn(["bash", "-c", line, "bash", ...dsmCommand, ...upload], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdout: "pipe",
    stderr: "ignore",
  });
  expect(await shell.stdout.text()).toBe("0\n");
  expect(await stored("pip")).toEqual(["x.txt", "y.txt"]);
});

test("a download replaces nothing without --force", async () => {
  await run("upload - --user dan --id f", new Blob(["new"]));
  await writeFile(join(folder, "f"), "old");
  expect((await run("download f --user dan")).exit).toBe(4);
  expect(await Bun.file(join(folder, "f")).text()).toBe("old");
  expect((await run("download f --user dan --force")).exit).toBe(0);
  expect(await Bun.file(join(folder, "f")).text()).toBe("new");
});

test("a part of the same version is continued; damage in it is found", async () => {
  await run("upload - --user eve --id big", new Blob([big]));
  const { blobId } = JSON.parse((await run("stat big --user eve --json")).out);
  const part = join(folder, `out.${blobId}.part`);
  // A part of another version, which must not be touched.
  const other = join(folder, "out.00000000000fffff.part");
  await writeFile(other, "other");
  await writeFile(part, big.slice(0, 1_000_000));
  expect((await run("download big --user eve -o out")).exit).toBe(0);
  expect(await Bun.file(join(folder, "out")).text()).toBe(big);

  await writeFile(part, "x".repeat(1_000_000));
  const damaged = await run("download big --user eve -o out --force");
  expect({ exit: damaged.exit, err: damaged.err }).toEqual({
    exit: 1,
    err: expect.stringContaining("and not"),
  });
  expect(await Bun.file(join(folder, "out")).text()).toBe(big);
  expect((await readdir(folder)).filter((it) => it.startsWith("out."))).toEqual([
    "out.00000000000fffff.part",
  ]);
});

test("Ctrl-C in an upload exits with 130 and leaves nothing visible", async () => {
  await using child = spawnDsm("upload - --user finn --id half".split(" "), {
    cwd: folder,
    env,
    stdin: "pipe",
  });
  await child.stdin?.write("x".repeat(1_000_000));
  await child.stdin?.flush();
  // The storage has made a blob, so the upload is under way.
  await using client = cluster.client();
  await until("a storage is busy", async () => {
    const { groups } = await client.status();
    return groups.some((group) => group.members.some((it) => it.activeRequests > 0));
  });
  child.kill("SIGINT");
  expect([await child.exited, await child.stderr.text()]).toEqual([
    130,
    "dsm: stopped by SIGINT\n",
  ]);
  const { exit } = await run("stat half --user finn");
  expect(exit).toBe(3);
});

test("status shows trackers and storages, and drain shows in it", async () => {
  const { out } = await run("status");
  expect(out).toContain(cluster.trackerEndpoints[0] ?? "no tracker");
  expect(out).toMatch(/g1 +g1-s1 +online +\d+ \S+ +\d+\.\d+\.\d+ /);
  expect((await run("storage drain g1-s2")).exit).toBe(0);
  await until("the storage drains", async () => / draining /.test((await run("status")).out));
  expect((await run("storage drain g1-s2 --undo")).exit).toBe(0);
  expect((await run("storage drain g9-s9")).exit).toBe(3);
});

test("status --watch looks again and again until Ctrl-C", async () => {
  await using child = spawnDsm(["status", "--watch", "--json"], { env });
  const lines = new Lines(child.stdout);
  const seen = [JSON.parse(await lines.next()), JSON.parse(await lines.next())];
  expect(seen.map((it) => it.groups.length)).toEqual([1, 1]);
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
});

test("a user is put into a group that there is", async () => {
  expect((await run("user assign gus g1 --json")).out).toBe('{"user":"gus","group":"g1"}\n');
  expect((await run("user assign gus g9")).exit).toBe(5);
});

test("another secret is not allowed in", async () => {
  const wrong = { ...env, DSM_SECRET: "x".repeat(64) };
  const { exit, err } = await dsm(["status"], { env: wrong });
  expect({ exit, lines: err.split("\n").length - 1 }).toEqual({ exit: 6, lines: 1 });
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Cluster, startCluster } from "@dsm/cluster";
import { blobPath, type FileInfo } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { dsm } from "../testing/dsm.ts";

const stack = new AsyncDisposableStack();
let cluster: Cluster;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = stack.use(await tempDir()).path;
  const options = { dataDir: join(folder, "data"), reserveBytes: 0, scrubBytesPerSecond: 0 };
  cluster = stack.use(await startCluster(options));
  env = { DSM_TRACKERS: cluster.trackerEndpoints.join(","), DSM_SECRET: cluster.secret };
});
afterAll(() => stack.disposeAsync());

const run = (line: string, stdin?: Blob) =>
  dsm(line.split(" "), { cwd: folder, env, ...(stdin === undefined ? {} : { stdin }) });

const film = crypto.getRandomValues(new Uint8Array(60_000)).toHex().repeat(20);

async function flip({ blobId, sizeBytes }: FileInfo): Promise<void> {
  const path = join(cluster.groupRoot("g1"), blobPath(blobId));
  const bytes = await Bun.file(path).bytes();
  await Bun.write(path, bytes.with(sizeBytes - 1, (bytes.at(-1) ?? 0) ^ 1));
}

test("a byte that went bad: no download takes it, the scrub finds it, a new upload ends it", async () => {
  expect((await run("upload - --user ann --id film", new Blob([film]))).exit).toBe(0);
  const file = JSON.parse((await run("stat film --user ann --json")).out) as FileInfo;
  expect(await run("scrub --now")).toMatchObject({
    exit: 0,
    out: expect.stringMatching(/^group g1: no damaged file\n.*0 bad pieces found, 0 healed\n$/s),
  });
  await flip(file);

  // Before anybody knows of it: the download is refused, and nothing of it is put in place.
  const unnoticed = await run("download film --user ann --json");
  const { error } = JSON.parse(unnoticed.err);
  expect([unnoticed.exit, error.code]).toEqual([1, "DIGEST_MISMATCH"]);
  expect(await readdir(folder)).toEqual(["data"]);

  const found = await run("scrub --now --rate 1GiB");
  expect(found.exit).toBe(1);
  const damaged = `damaged  group g1: ann/film, blob ${file.blobId}: pieces 2\n`;
  expect(found.out).toStartWith(`${damaged}group g1: 1 damaged file\n`);
  expect(found.out).toContain("1 bad pieces found, 0 healed");
  expect((await run("scrub --group g1 --status")).out).toStartWith(damaged);
  // A table without damage has no column for it.
  const list = async () => (await run("list --user ann")).out;
  await run("upload - --user ann --id sound", new Blob(["sound"]));
  expect((await run("stat film --user ann")).out).toMatch(/\ndamaged +pieces 2: see dsm scrub\n/);
  expect((await run("stat sound --user ann")).out).not.toContain("damaged");
  expect(await list()).toMatch(/ DAMAGED +TYPE +FILE\n.* pieces 2 .* film\n.* no .* sound\n/);
  await run("delete sound --user ann");
  const refused = await run("download film --user ann --json");
  expect([refused.exit, JSON.parse(refused.err).error.code]).toEqual([1, "DATA_CORRUPT"]);

  expect((await run("upload - --user ann --id film --overwrite", new Blob([film]))).exit).toBe(0);
  // The good bytes have healed the old version in the trash as well.
  const after = await run("scrub --now --rate 1GiB --json");
  expect([after.exit, JSON.parse(after.out)]).toMatchObject([
    0,
    { group: "g1", damaged: 0, last: { healed: 1, found: 0 } },
  ]);
});

test("says what is wrong with what it is asked", async () => {
  const codeOf = async (line: string) => {
    const { exit, err } = await run(`${line} --json`);
    return [exit, JSON.parse(err).error.code];
  };
  expect(await codeOf("scrub --now --status")).toEqual([2, "USAGE"]);
  expect(await codeOf("scrub --rate 1MiB")).toEqual([2, "USAGE"]);
  expect(await codeOf("scrub --now --rate 1KiB")).toEqual([2, "USAGE"]);
  expect(await codeOf("scrub --group nope")).toEqual([5, "GROUP_UNAVAILABLE"]);
});

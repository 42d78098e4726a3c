import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mountTmpfs, tempDir, tmpfsMissing, until } from "@dsm/testkit";
import { dsm, Lines, spawnDsm } from "../testing/dsm.ts";

const upArgs = ["up", "--http", "127.0.0.1:0", "--json"];

/** The status of a PUT to a `dsm up` that was started like this. */
async function putTo(cwd: string, args: string[], env: Record<string, string>): Promise<number> {
  await using up = spawnDsm([...upArgs, ...args], { cwd, env });
  const { http } = JSON.parse(await new Lines(up.stdout).next());
  const { status } = await fetch(`${http}/media/ann/a`, { method: "PUT", body: "hello" });
  up.kill("SIGTERM");
  expect(await up.exited).toBe(0);
  return status;
}

const why = tmpfsMissing === undefined ? "" : ` (${tmpfsMissing})`;

test.skipIf(tmpfsMissing !== undefined)(
  `dsm up takes the options of its storages: flags before variables, and then the file${why}`,
  async () => {
    await using disk = await mountTmpfs({ sizeBytes: 48 * 1024 ** 2 });
    const configPath = join(disk.path, "dsm.toml");
    await writeFile(configPath, '[storage]\nid = "s1"\nreserve = "1MiB"\n[gateway]\nworkers = 3\n');
    const put = (args: string[], env = {}) => putTo(disk.path, args, env);
    expect(await put([])).toBe(507);
    expect(await put([], { DSM_RESERVE: "1MiB" })).toBe(201);
    expect(await put(["--reserve", "1GiB"], { DSM_RESERVE: "1MiB" })).toBe(507);
    expect(await put(["--reserve", "1MiB"], { DSM_RESERVE: "1GiB" })).toBe(200);
    expect(await put(["--config", "dsm.toml"])).toBe(200);
    expect(await put([], { DSM_CONFIG: configPath })).toBe(200);
    expect(await put([], { DSM_CONFIG: configPath, DSM_RESERVE: "1GiB" })).toBe(507);
  },
  60_000,
);

test("dsm status says why a storage is full", async () => {
  await using dir = await tempDir();
  await using up = spawnDsm([...upArgs, "--reserve", "4096TiB"], { cwd: dir.path });
  const { http } = JSON.parse(await new Lines(up.stdout).next());
  const answer = await fetch(`${http}/media/ann/a`, { method: "PUT", body: "hello" });
  expect([answer.status, await answer.json()]).toEqual([
    507,
    expect.objectContaining({
      detail: expect.stringMatching(
        /^the cluster .* g1-s\d has \d+ bytes free and keeps 4503\d+ in/,
      ),
    }),
  ]);
  const { out } = await dsm(["status"], { cwd: dir.path });
  expect(out).toContain("full (less is free than its reserve of 4.0 PiB)");
});

test("dsm up empties the trash when it is told to", async () => {
  await using dir = await tempDir();
  const env = { DSM_RESERVE: "0B", DSM_TRASH_GRACE: "0s", DSM_REAP_INTERVAL: "50ms" };
  await using up = spawnDsm(upArgs, { cwd: dir.path, env });
  const { http } = JSON.parse(await new Lines(up.stdout).next());
  await fetch(`${http}/media/ann/a`, { method: "PUT", body: "hello" });
  expect((await fetch(`${http}/media/ann/a`, { method: "DELETE" })).status).toBe(204);
  await until("the trash is empty", async () => {
    const { out } = await dsm(["usage", "--user", "ann", "--json"], { cwd: dir.path });
    return JSON.parse(out).trashBlobs === 0;
  });
});

test("a wrong option of a storage is one line that names where it stands", async () => {
  await using dir = await tempDir();
  const cwd = dir.path;
  const results = await Promise.all([
    dsm([...upArgs, "--reserve", "much"], { cwd }),
    dsm(upArgs, { cwd, env: { DSM_TRASH_GRACE: "1" } }),
    dsm([...upArgs, "--config", "none.toml"], { cwd }),
  ]);
  expect(results.map(({ exit, out }) => [exit, out])).toEqual([2, 2, 2].map((it) => [it, ""]));
  for (const [i, place] of ["--reserve", "DSM_TRASH_GRACE", "none.toml"].entries()) {
    expect(results[i]?.err).toMatch(/^[^\n]+\n$/);
    expect(results[i]?.err).toContain(place);
  }
});

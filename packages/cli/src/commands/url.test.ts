import { describe, expect, test } from "bun:test";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { tempDir } from "@dsm/testkit";
import { dsm, Lines, spawnDsm } from "../testing/dsm.ts";

const key = { id: "k9", secret: "9".repeat(32) };
const writeKey = "the-write-key";

/** A cluster with one file of ann, films/a.txt. */
async function filledCluster(dir: string, options: object): Promise<Cluster> {
  const cluster = await startCluster({ dataDir: dir, reserveBytes: 0, writeKey, ...options });
  await using client = cluster.client();
  const source = bytesSource(new TextEncoder().encode("the film"));
  await client.upload({ user: "ann", fileId: "films/a.txt", source });
  return cluster;
}

test("dsm up keeps a link key, so that dsm url works beside it", async () => {
  await using dir = await tempDir();
  const cwd = dir.path;
  const args = ["up", "--http", "127.0.0.1:0", "--json", "--reads", "signed", "--demo"];
  await using up = spawnDsm(args, { cwd });
  const ready = JSON.parse(await new Lines(up.stdout).next());
  expect((await fetch(ready.demo.url)).status).toBe(200);
  const bare = ready.demo.url.split("?")[0];
  expect((await fetch(bare)).status).toBe(401);

  const made = await dsm(["url", "sample.mp4", "--user", "demo"], { cwd });
  expect(made).toMatchObject({ exit: 0, err: "" });
  expect(made.out).toStartWith(`${bare}?exp=`);
  expect((await fetch(made.out.trim())).status).toBe(200);
  const folder = await dsm(["url", "", "--user", "demo", "--prefix"], { cwd });
  expect((await fetch(`${folder.out.trim()}sample.mp4`)).status).toBe(200);

  const keyFile = join(cwd, ".dsm/link-keys");
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  const [kept] = (await readFile(keyFile, "utf8")).split("\n");
  const clusterFile = JSON.parse(await readFile(join(cwd, ".dsm/cluster.json"), "utf8"));
  expect(clusterFile.linkKeys).toEqual([kept]);
  up.kill("SIGTERM");
  expect(await up.exited).toBe(0);

  // To rotate: a new key before the old one. Links of both are good.
  await writeFile(keyFile, `k2:${"2".repeat(32)}\n${kept}\n`);
  await using again = spawnDsm(args, { cwd });
  const { http } = JSON.parse(await new Lines(again.stdout).next());
  const rotated = await dsm(["url", "sample.mp4", "--user", "demo", "--json"], { cwd });
  const { keyId, path } = JSON.parse(rotated.out);
  const before = new URL(made.out.trim());
  const statuses = [path, before.pathname + before.search].map(
    async (it) => (await fetch(http + it)).status,
  );
  expect([keyId, ...(await Promise.all(statuses))]).toEqual(["k2", 200, 200]);
});

describe("a link is signed", () => {
  test("here, with the keys of a variable, a file or the configuration", async () => {
    await using dir = await tempDir();
    await using cluster = await filledCluster(dir.path, { reads: "signed", linkKeys: [key] });
    const written = `${key.id}:${key.secret}`;
    const keyFile = join(dir.path, "keys");
    await writeFile(keyFile, `${written}\n`, { mode: 0o600 });
    const config = join(dir.path, "dsm.toml");
    const section = `[gateway]\nlink_keys = ["${written}"]\npublic_url = "${cluster.http}"\n`;
    await writeFile(config, section, { mode: 0o600 });
    const args = ["url", "films/a.txt", "--user", "ann"];
    const gateway = ["--gateway", cluster.http];
    const made = await Promise.all([
      dsm([...args, ...gateway], { cwd: dir.path, env: { DSM_LINK_KEYS: written } }),
      dsm([...args, ...gateway, "--key-file", keyFile], { cwd: dir.path }),
      dsm([...args, "--config", config], { cwd: dir.path }),
    ]);
    for (const { exit, out } of made) {
      const response = await fetch(out.trim());
      expect([exit, response.status, await response.text()]).toEqual([0, 200, "the film"]);
    }
    await chmod(keyFile, 0o644);
    const open = await dsm([...args, ...gateway, "--key-file", keyFile], { cwd: dir.path });
    expect(open).toMatchObject({ exit: 2, out: "", err: expect.stringContaining("chmod 600") });
  });

  test("by the gateway, for whoever has the write key", async () => {
    await using dir = await tempDir();
    await using cluster = await filledCluster(dir.path, { reads: "signed", linkKeys: [key] });
    const args = ["url", "films/a.txt", "--user", "ann", "--gateway", `${cluster.http}/`];
    const options = { cwd: dir.path, env: { DSM_WRITE_KEY: writeKey } };
    const made = await dsm([...args, "--expires", "1m", "--json"], options);
    const { url, keyId, expiresAtMs } = JSON.parse(made.out);
    expect([made.exit, keyId, expiresAtMs > Date.now()]).toEqual([0, "k9", true]);
    expect(await (await fetch(url)).text()).toBe("the film");
    const without = await dsm(args, { cwd: dir.path });
    expect(without).toMatchObject({
      exit: 6,
      out: "",
      err: expect.stringContaining("DSM_WRITE_KEY"),
    });
    const wrong = await dsm(args, { cwd: dir.path, env: { DSM_WRITE_KEY: "x" } });
    expect(wrong.exit).toBe(6);
  });

  test("by nobody where the gateway has no key: then the bare URL does, or nothing", async () => {
    await using dir = await tempDir();
    await using cluster = await filledCluster(dir.path, {});
    const args = ["url", "films/a.txt", "--user", "ann", "--gateway", cluster.http];
    const options = { cwd: dir.path, env: { DSM_WRITE_KEY: writeKey } };
    const bare = `${cluster.http}/media/ann/films/a.txt`;
    expect(await dsm(args, options)).toEqual({ exit: 0, out: `${bare}\n`, err: "" });
    const bound = await dsm([...args, "--expires", "1h"], options);
    expect(bound).toMatchObject({ exit: 3, out: "", err: expect.stringContaining("no link key") });
  });
});

test("without a gateway, or with one that is none, it says so in one line", async () => {
  await using dir = await tempDir();
  using other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
  const args = ["url", "a", "--user", "ann"];
  const results = await Promise.all([
    dsm(args, { cwd: dir.path }),
    dsm([...args, "--gateway", "http://127.0.0.1:1"], { cwd: dir.path }),
    dsm([...args, "--gateway", other.url.href], { cwd: dir.path }),
    dsm([...args, "--gateway", "localhost:8080"], { cwd: dir.path }),
    dsm([...args, "--expires", "soon"], { cwd: dir.path }),
  ]);
  expect(results.map(({ exit, out, err }) => [exit, out, err.split("\n").length])).toEqual([
    [5, "", 2],
    [5, "", 2],
    [5, "", 2],
    [2, "", 2],
    [2, "", 2],
  ]);
});

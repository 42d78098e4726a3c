import { expect, test } from "bun:test";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Certificate, makeCertificate, tempDir, until } from "@dsm/testkit";
import { dsm, Lines, spawnDsm } from "../testing/dsm.ts";

const upArgs = ["up", "--http", "127.0.0.1:0", "--json"];

test("dsm up is found by commands, keeps others off, stops in order and keeps its secret", async () => {
  await using dir = await tempDir();
  const cwd = dir.path;
  await using up = spawnDsm([...upArgs, "--demo"], { cwd });
  const ready = JSON.parse(await new Lines(up.stdout).next());
  expect(ready).toEqual({
    ready: true,
    http: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    trackers: [expect.any(String), expect.any(String)],
    storages: [expect.any(String), expect.any(String)],
    pid: up.pid,
    demo: { url: `${ready.http}/media/demo/sample.mp4` },
  });
  const clusterPath = join(cwd, ".dsm/cluster.json");
  const secret = (await readFile(join(cwd, ".dsm/secret"), "utf8")).trim();
  const { trackers, http, storages, pid } = ready;
  expect(JSON.parse(await readFile(clusterPath, "utf8"))).toEqual({
    trackers,
    secret,
    http,
    storages,
    publicUrls: storages,
    pid,
    linkKeys: [expect.stringMatching(/^k1:[0-9a-f]{64}$/)],
  });
  expect((await stat(clusterPath)).mode & 0o777).toBe(0o600);

  const answer = await fetch(ready.demo.url);
  const { exit, out } = await dsm(["stat", "sample.mp4", "--user", "demo", "--json"], { cwd });
  expect([exit, answer.status, (await answer.bytes()).length]).toEqual([
    0,
    200,
    JSON.parse(out).sizeBytes,
  ]);

  const second = await dsm(upArgs, { cwd });
  expect([second.exit, second.out]).toEqual([4, ""]);
  expect(second.err).toMatch(/^.*a dsm up runs on .*\(pid \d+\).*\n$/);

  up.kill("SIGINT");
  expect(await up.exited).toBe(0);
  expect(await Bun.file(clusterPath).exists()).toBe(false);

  await using again = spawnDsm([...upArgs, "--demo"], { cwd });
  await new Lines(again.stdout).next();
  expect(JSON.parse(await readFile(clusterPath, "utf8")).secret).toBe(secret);
  again.kill("SIGTERM");
  expect(await again.exited).toBe(0);
});

test("dsm up delivers each group as it is told", async () => {
  await using dir = await tempDir();
  const delivery = ["--delivery", "proxy,g1=redirect"];
  await using up = spawnDsm([...upArgs, "--demo", ...delivery], { cwd: dir.path });
  const { demo, storages } = JSON.parse(await new Lines(up.stdout).next());
  const answer = await fetch(demo.url);
  expect([answer.status, storages]).toEqual([
    200,
    expect.arrayContaining([new URL(answer.url).origin]),
  ]);
});

test("dsm up speaks TLS with a certificate, and follows it without a restart", async () => {
  await using dir = await tempDir();
  const [certPath, keyPath] = [join(dir.path, "cert.pem"), join(dir.path, "key.pem")];
  const write = async ({ cert, key }: Certificate) => {
    await Bun.write(certPath, cert);
    await Bun.write(keyPath, key);
  };
  const [first, renewed] = [makeCertificate(), makeCertificate()];
  await write(first);
  const args = [...upArgs, "--tls-cert", "cert.pem", "--tls-key", "key.pem"];
  await using up = spawnDsm(args, { cwd: dir.path });
  const { http } = JSON.parse(await new Lines(up.stdout).next());
  expect(http).toStartWith("https://127.0.0.1:");
  const trusts = ({ cert }: Certificate) =>
    fetch(`${http}/healthz`, { keepalive: false, tls: { ca: cert } }).then(
      ({ status }) => status === 200,
      () => false,
    );
  expect([await trusts(first), await trusts(renewed)]).toEqual([true, false]);
  await write(renewed);
  await until("the new one is used", () => trusts(renewed));
  const lacking = await dsm([...upArgs, "--tls-cert", "cert.pem", "--data", "x"], {
    cwd: dir.path,
  });
  expect([lacking.exit, lacking.err]).toEqual([2, expect.stringContaining("--tls-key")]);
});

test("after kill -9 the next dsm up starts", async () => {
  await using dir = await tempDir();
  await using first = spawnDsm(upArgs, { cwd: dir.path });
  await new Lines(first.stdout).next();
  first.kill("SIGKILL");
  await first.exited;
  await using second = spawnDsm(upArgs, { cwd: dir.path });
  expect(JSON.parse(await new Lines(second.stdout).next()).ready).toBe(true);
});

test("what keeps it from starting is one line", async () => {
  await using dir = await tempDir();
  using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  await Bun.write(join(dir.path, "file"), "");
  const results = await Promise.all([
    dsm(["up", "--http", `127.0.0.1:${taken.port}`], { cwd: dir.path }),
    dsm([...upArgs, "--data", "file"], { cwd: dir.path }),
    dsm([...upArgs, "--data", "c", "--catalog", "mysql://u:p@127.0.0.1:1/d"], { cwd: dir.path }),
    dsm(["up", "--data", "w", "--http", "0.0.0.0:0"], { cwd: dir.path }),
    dsm(["up", "--data", "d", "--delivery", "g1=nowhere"], { cwd: dir.path }),
    dsm(["up", "--data", "d", "--delivery", "auto,g1=redirect", "--http", "0.0.0.0:0"], {
      cwd: dir.path,
      env: { DSM_WRITE_KEY: "key" },
    }),
  ]);
  expect(
    results.map(({ exit, out, err }) => [exit, out, err.trimEnd().split("\n").length]),
  ).toEqual([
    [1, "", 1],
    [1, "", 1],
    [5, "", 1],
    [2, "", 1],
    [2, "", 1],
    [2, "", 1],
  ]);
  expect(results.at(-1)?.err).toContain("--public-url");
});

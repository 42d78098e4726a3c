import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { softwareVersion } from "@dsm/protocol";
import { runTool, startProcess, tempDir, until } from "@dsm/testkit";
import { DsmProcesses, type Software } from "./dsm-processes.ts";

const build = resolve(import.meta.dir, "../../bin/build");
const stack = new AsyncDisposableStack();
/** The executable in a folder of its own, where it finds no other program and no module. */
let software: Software;
let dir: string;

beforeAll(async () => {
  dir = stack.use(await tempDir()).path;
  const file = join(dir, "dsm");
  await runTool([build, file]);
  const elsewhere = join(dir, "elsewhere");
  await mkdir(elsewhere);
  // A file of that name in the folder where it runs is none of its business.
  await Bun.write(join(elsewhere, ".env"), "DSM_LOG_LEVEL=nonsense\n");
  await Bun.write(join(elsewhere, "bunfig.toml"), 'preload = ["./missing.ts"]\n');
  software = ["env", `--chdir=${elsewhere}`, "PATH=/nowhere", file];
}, 120_000);
afterAll(() => stack.disposeAsync());

const media = new Uint8Array(3_000_000).map((_, i) => (i * 7) % 251);

test("starts by itself", async () => {
  const startMs = performance.now();
  expect(await runTool([...software, "--version"])).toBe(`${softwareVersion}\n`);
  const startupMs = Math.round(performance.now() - startMs);
  const { size: sizeBytes } = await stat(join(dir, "dsm"));
  console.log("single executable", { sizeBytes, startupMs });
});

test("runs every role, stores, serves, checks and stops", async () => {
  await using cluster = await DsmProcesses.start({ software });
  const file = join(dir, "film.mp4");
  await Bun.write(file, media);
  const did = async (...args: string[]) => {
    const { code, stderr } = await cluster.run(...args);
    if (code !== 0) throw new Error(`dsm ${args.join(" ")} ended with ${code}: ${stderr}`);
  };
  await did("upload", file, "--user", "ann");
  const url = `${cluster.http}/media/ann/film.mp4`;
  const part = await fetch(url, { headers: { Range: "bytes=1000000-1000999" } });
  expect(part.status).toBe(206);
  expect(await part.bytes()).toEqual(media.slice(1_000_000, 1_001_000));
  const copy = join(dir, "copy.mp4");
  await did("download", "film.mp4", "--user", "ann", "--out", copy);
  expect(await Bun.file(copy).bytes()).toEqual(media);
  await did("fsck");
  await did("delete", "film.mp4", "--user", "ann");
  // The gateway may remember for a second where the file was.
  await until("it is gone", async () => (await fetch(url)).status === 404);
  for (const role of cluster.roles.toReversed()) expect(await role.terminate()).toBe(0);
}, 60_000);

test("runs a whole cluster with its sample, and a gateway with workers", async () => {
  const data = join(dir, "data");
  const up = ["up", "--data", data, "--http", "127.0.0.1:0", "--demo", "--json"];
  await using cluster = await startProcess({
    cmd: [...software, ...up],
    ready: /"http":"(http:[^"]+)"/,
  });
  const sample = `${cluster.readyMatch?.[1]}/media/demo/sample.mp4`;
  const asset = await Bun.file(resolve(import.meta.dir, "../../assets/sample.mp4")).bytes();
  expect(await (await fetch(sample)).bytes()).toEqual(asset);
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const http = `127.0.0.1:${listener.port}`;
  listener.stop(true);
  const { trackers, secret } = (await Bun.file(join(data, "cluster.json")).json()) as {
    trackers: string[];
    secret: string;
  };
  await using gateway = await startProcess({
    cmd: [...software, "gateway", "--http", http, "--workers", "2", "--json"],
    env: { DSM_TRACKERS: trackers.join(","), DSM_SECRET: secret },
    ready: /"ready":true/,
  });
  const again = await fetch(`http://${http}/media/demo/sample.mp4`);
  expect(await again.bytes()).toEqual(asset);
  expect(await gateway.stop("SIGTERM")).toBe(0);
  expect(await cluster.stop("SIGTERM")).toBe(0);
}, 60_000);

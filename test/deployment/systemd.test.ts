import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { runTool, startProcess, tempDir, until } from "@dsm/testkit";

const checkout = resolve(import.meta.dir, "../..");
const units = [
  "dsm-tracker.service",
  "dsm-id.service",
  "dsm-storage@g1.service",
  "dsm-gateway.service",
];
/** Of ten; 5 and more is what systemd calls exposed. */
const exposureMax = 2;

const tools = ["systemd-analyze", "strace"].filter((tool) => Bun.which(tool) === null);

describe.skipIf(tools.length > 0)("what an operator installs", () => {
  const stack = new AsyncDisposableStack();
  let root: string;
  let binary: string;
  const installed = (path: string) => join(root, path);
  const install = (...args: string[]) =>
    runTool([join(checkout, "deploy/install.sh"), "--binary", binary, "--root", root, ...args]);

  beforeAll(async () => {
    const { path } = stack.use(await tempDir());
    binary = join(path, "built");
    root = join(path, "root");
    await runTool([join(checkout, "bin/build"), binary]);
    await install();
  }, 120_000);
  afterAll(() => stack.disposeAsync());

  test("is in its places, and an update leaves the configuration as it is", async () => {
    expect((await stat(installed("usr/bin/dsm"))).mode & 0o111).toBe(0o111);
    const config = installed("etc/dsm/dsm.toml");
    expect(await readFile(config, "utf8")).toContain("[storage]");
    await writeFile(config, "# mine\n");
    expect(await install()).toContain("openssl rand -hex 32");
    expect(await readFile(config, "utf8")).toBe("# mine\n");
    await expect(install("--nonsense")).rejects.toThrow("ended with 2");
  });

  test("only dsm reads its configuration, and has one number on all hosts", async () => {
    await writeFile(installed("etc/dsm/secret"), "5".repeat(64));
    await runTool(["systemd-sysusers", `--root=${root}`, "dsm.conf"]);
    await runTool(["systemd-tmpfiles", "--create", `--root=${root}`, "dsm.conf"]);
    for (const path of ["etc/dsm/dsm.toml", "etc/dsm/secret"]) {
      const { uid, mode } = await stat(installed(path));
      expect([path, uid, mode & 0o777]).toEqual([path, 10001, 0o600]);
    }
  });

  test("a gateway may take port 80, and no other role any right", async () => {
    const rights = async (unit: string) => {
      const offline = ["--offline=true", `--root=${root}`, "--json=short", "--threshold=100"];
      const rows: unknown = JSON.parse(
        await runTool(["systemd-analyze", "security", ...offline, unit]),
      );
      const named = (rows as Array<Record<string, string>>).filter(
        ({ name }) => name === "AmbientCapabilities=",
      );
      return named.map(({ description }) => description);
    };
    const none = await rights("dsm-tracker.service");
    expect(none).toHaveLength(1);
    expect(await rights("dsm-storage@g1.service")).toEqual(none);
    expect(await rights("dsm-gateway.service")).not.toEqual(none);
  });

  test("units are what systemd understands, and keep the roles from what they do not need", async () => {
    const folder = installed("usr/lib/systemd/system");
    const checked = join(root, "checked");
    await runTool(["cp", "-R", folder, checked]);
    // systemd-analyze looks for the programs on this host.
    await runTool(["sh", "-c", `sed -i 's#=/usr/bin/dsm#=${binary}#' ${checked}/*.service`]);
    const env = ["env", `SYSTEMD_UNIT_PATH=${checked}:`];
    const verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"];
    const both = ["sh", "-c", '"$@" 2>&1', "sh"];
    const said = await runTool([
      ...both,
      ...env,
      ...verify,
      ...units.map((it) => `${checked}/${it}`),
    ]);
    expect(said).toBe("");
    for (const unit of units) {
      const threshold = `--threshold=${exposureMax * 10}`;
      await runTool([
        "systemd-analyze",
        "security",
        "--offline=true",
        `--root=${root}`,
        threshold,
        unit,
      ]);
    }
  });

  test("no role makes a system call that its unit forbids", async () => {
    const { path: data } = stack.use(await tempDir());
    const trace = join(data, "calls");
    const strace = ["strace", "--daemonize", "--follow-forks", "--summary-only", "--output", trace];
    const where = ["--data", join(data, "dsm"), "--http", "127.0.0.1:0"];
    const up = [binary, "up", ...where, "--demo", "--json"];
    await using cluster = await startProcess({
      cmd: strace.concat(up),
      ready: /"http":"(http:[^"]+)"/,
    });
    const url = `${cluster.readyMatch?.[1]}/media/ann/f`;
    const media = new Uint8Array(300_000).fill(7);
    expect((await fetch(url, { method: "PUT", body: media })).status).toBe(201);
    expect(await (await fetch(url)).bytes()).toEqual(media);
    expect((await fetch(url, { method: "DELETE" })).status).toBe(204);
    expect(await cluster.stop("SIGTERM")).toBe(0);
    // Its tracer outlives it for a moment.
    const summary = () => readFile(trace, "utf8").catch(() => "");
    await until("the calls are counted", async () => (await summary()).includes("total"));
    const made = callsOf(await summary());
    expect(made.length).toBeGreaterThan(30);
    const allowed = await allowedCalls("@system-service");
    expect(made.filter((call) => !allowed.has(call))).toEqual([]);
  }, 60_000);
});

/** The last column of strace's summary. */
function callsOf(summary: string): string[] {
  const rows = summary.split("\n").filter((line) => /^\s*[\d.]+\s+[\d.]+\s/.test(line));
  return rows.map((row) => row.trim().split(/\s+/).at(-1) ?? "").filter((name) => name !== "total");
}

/** What a group of SystemCallFilter= stands for, with the groups in it. */
async function allowedCalls(group: string): Promise<Set<string>> {
  const said = await runTool(["systemd-analyze", "syscall-filter", "--no-pager", group]);
  const names = said
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#") && line !== group);
  const nested = await Promise.all(
    names.filter((name) => name.startsWith("@")).map((name) => allowedCalls(name)),
  );
  return new Set([...names, ...nested.flatMap((set) => [...set])]);
}

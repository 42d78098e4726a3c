import { describe, expect, test } from "bun:test";
import { chmod, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { HostBox, type HostProcess, hostsMissing, tempDir, until } from "@dsm/testkit";
import { validate } from "dockerfile-utils";
import { type ComposeService, parseCompose, readDocker, startOrder } from "./compose-file.ts";

const dsm = resolve(import.meta.dir, "../../bin/dsm");
const compose = parseCompose(await readDocker("compose.yaml"));
/** Those of dsm; the database is nobody's but MariaDB's. */
const ours = startOrder(compose).filter((name) => compose.services[name]?.image === "dsm");

function serviceOf(name: string): ComposeService {
  const service = compose.services[name];
  if (service === undefined) throw new Error(`there is no service ${name}`);
  return service;
}

/** What is asked whether a container is healthy; nothing where nobody waits for that. */
function healthCommand(name: string): string[] {
  const { healthcheck } = serviceOf(name);
  if (!("test" in healthcheck)) return [];
  const [, program, ...args] = healthcheck.test;
  return program === "dsm" ? [dsm, ...args] : [];
}

const problems = (text: string) =>
  validate(text).map(({ message, range }) => ({ line: range.start.line + 1, message }));

test("the Dockerfile is well-formed, and copies only what is given to the builder", async () => {
  const text = await readDocker("Dockerfile");
  expect(problems(text)).toEqual([]);
  expect(problems(text.replace("STOPSIGNAL", "STOPSIGNALS"))).toHaveLength(1);
  const ignored = await readDocker("Dockerfile.dockerignore");
  const given = ignored.split("\n").filter((line) => line.startsWith("!"));
  for (const line of given) {
    const path = resolve(import.meta.dir, "../..", line.slice(1));
    expect([
      line,
      await Bun.file(path)
        .stat()
        .catch(() => undefined),
    ]).not.toContain(undefined);
  }
});

test("what compose.yaml names is there, and who waits for health waits for a check", () => {
  for (const [name, { depends_on, secrets, volumes }] of Object.entries(compose.services)) {
    for (const secret of secrets) expect(Object.keys(compose.secrets)).toContain(secret);
    for (const volume of volumes ?? []) {
      expect(Object.keys(compose.volumes)).toContain(volume.split(":")[0] ?? "");
    }
    for (const [other, { condition }] of Object.entries(depends_on ?? {})) {
      const { healthcheck, restart } = serviceOf(other);
      const fits = condition === "service_healthy" ? "test" in healthcheck : restart === "no";
      expect({ name, other, condition, fits }).toEqual({ name, other, condition, fits: true });
    }
  }
});

describe.skipIf(hostsMissing !== undefined)("compose.yaml", () => {
  test("its commands and checks make a cluster, each service as a host of its own", async () => {
    await using dir = await tempDir();
    await using box = await HostBox.open({ hosts: ours });
    const config = join(dir.path, "dsm.toml");
    const groupRoot = join(dir.path, "g1");
    await mkdir(groupRoot);
    // The words of OPERATIONS, but for two places of this test: its catalog and its volume.
    const toml = (await readDocker("dsm.sample.toml"))
      .replace("CLUSTER_SECRET", "5".repeat(64))
      .replace("WRITE_KEY", "w".repeat(64))
      .replace("mysql://dsm:DB_PASSWORD@db:3306/dsm", `sqlite:${dir.path}/catalog.db`)
      .replaceAll("/mnt/g1", groupRoot);
    expect(toml).not.toMatch(/^[^#]*(?:DB_PASSWORD|mysql:)/m);
    await Bun.write(config, toml);
    await chmod(config, 0o600);
    await using running = new AsyncDisposableStack();
    const started: HostProcess[] = [];
    for (const name of ours) {
      const host = box.host(name);
      const { command = [], environment, restart } = serviceOf(name);
      const { DSM_CONFIG: place = "" } = environment;
      await host.run(["install", "-D", "-m", "600", config, place]);
      const env = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
      const cmd = ["env", ...env, dsm, ...command];
      if (restart === "no") {
        await host.run(cmd);
        continue;
      }
      const healthy = () =>
        host.run(["env", ...env, ...healthCommand(name)]).then(
          () => true,
          () => false,
        );
      expect([name, await healthy()]).toEqual([name, false]);
      started.push(running.use(await host.start({ cmd, ready: /is ready on/ })));
      await until(`${name} is healthy`, healthy);
    }

    const gateway = "http://gateway:8080/media/ann/clip.mp4";
    const file = join(dir.path, "clip.mp4");
    await Bun.write(file, "0123456789");
    const curl = (...args: string[]) => box.host("tracker2").run(["curl", "-sS", "-f", ...args]);
    await expect(curl("-T", file, gateway)).rejects.toThrow("401");
    await curl("-T", file, "-H", `Authorization: Bearer ${"w".repeat(64)}`, gateway);
    expect(await curl("-r", "3-5", gateway)).toBe("345");

    // As `docker compose down` stops them, all together.
    const graceS = ours.map((name) => Number.parseInt(serviceOf(name).stop_grace_period, 10));
    const stopMs = performance.now();
    for (const { hostPid } of started) process.kill(hostPid, "SIGTERM");
    expect(await Promise.all(started.map(({ exited }) => exited))).toEqual(started.map(() => 0));
    const stoppedMs = Math.round(performance.now() - stopMs);
    console.log("compose.yaml", { services: started.length, stoppedMs });
    expect(stoppedMs / 1_000).toBeLessThan(Math.min(...graceS));
  }, 60_000);
});

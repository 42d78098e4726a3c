import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { loadConfig } from "./load.ts";
import { configFile, refusal, secret, storageEnv, trackerEnv } from "./testing/loading.ts";

describe("weights", () => {
  test("a flag weighs more than a variable, that more than the file, that more than the default", async () => {
    await using dir = await tempDir();
    const configPath = await configFile(
      dir,
      `log_level = "warn"\n[tracker]\nlisten = "127.0.0.1:1"\nheartbeat_interval = "5s"\n`,
    );
    const env = { ...trackerEnv, DSM_LISTEN: "127.0.0.1:2", DSM_LOG_LEVEL: "" };
    const flags = { listen: "[::1]:3" };
    expect(await loadConfig("tracker", { flags, env, configPath })).toEqual({
      catalog: "sqlite:/tmp/x.db",
      secret,
      drainDelayMs: 5_000,
      logLevel: "warn",
      listen: { hostname: "::1", port: 3 },
      heartbeatIntervalMs: 5_000,
      missedBeats: 3,
      capabilityTtlMs: 60_000,
    });
    expect(await loadConfig("tracker", { env, configPath })).toMatchObject({
      listen: { hostname: "127.0.0.1", port: 2 },
    });
    expect(await loadConfig("tracker", { env: trackerEnv, configPath })).toMatchObject({
      listen: { hostname: "127.0.0.1", port: 1 },
    });
  });

  test("DSM_CONFIG names the file; paths in it are relative to it", async () => {
    await using dir = await tempDir();
    const configPath = await configFile(dir, `[storage]\nroot = "mnt/g1"\n`);
    const env = { ...storageEnv, DSM_ROOT: undefined, DSM_CONFIG: configPath };
    expect((await loadConfig("storage", { env })).root).toBe(join(dir.path, "mnt/g1"));
  });

  test("a client needs nothing", async () => {
    expect(await loadConfig("client", { env: {} })).toEqual({
      trackers: undefined,
      idServers: undefined,
      catalog: undefined,
      secret: undefined,
      logLevel: "info",
      writeKey: undefined,
      linkKeys: undefined,
      publicUrl: undefined,
    });
  });
});

describe("the secret", () => {
  test("comes from the heaviest source that has it", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "secret");
    await writeFile(path, `${"f".repeat(64)}\n`, { mode: 0o600 });
    const loaded = await loadConfig("tracker", { flags: { secretFile: path }, env: trackerEnv });
    expect(loaded.secret).toBe("f".repeat(64));
    expect(loaded).not.toHaveProperty("secretFile");
  });

  test("is refused when it is missing, doubled, short, or open to others", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "secret");
    await writeFile(path, `${secret}\n`, { mode: 0o644 });
    const env = { DSM_CATALOG: trackerEnv.DSM_CATALOG };
    const load = (more: Record<string, string>) =>
      refusal(loadConfig("tracker", { env: { ...env, ...more } }));
    expect(await load({})).toContain("BAD_CONFIG: no cluster secret; make one with:");
    expect(await load({ DSM_SECRET: secret, DSM_SECRET_FILE: path })).toBe(
      "BAD_CONFIG: DSM_SECRET and DSM_SECRET_FILE are both set; keep one of them",
    );
    expect(await load({ DSM_SECRET_FILE: path })).toBe(
      `BAD_CONFIG: ${path} holds a secret and its mode 0644 lets others read it; chmod 600 ${path}`,
    );
    expect(await load({ DSM_SECRET: "short" })).toContain(
      "BAD_CONFIG: DSM_SECRET: the cluster secret has 5 characters",
    );
    expect(await load({ DSM_SECRET_FILE: `${path}.no` })).toContain("ENOENT");
  });

  test("in a file that others may read is refused too", async () => {
    await using dir = await tempDir();
    const configPath = await configFile(dir, `secret = "${secret}"\n`, 0o640);
    const env = { DSM_CATALOG: trackerEnv.DSM_CATALOG };
    expect(await refusal(loadConfig("tracker", { env, configPath }))).toContain("chmod 600");
  });

  test("never stands in an error", async () => {
    const env = { ...trackerEnv, DSM_SECRET: `${secret}\u0007` };
    const said = await refusal(loadConfig("tracker", { env }));
    expect(said).toContain("DSM_SECRET: the value is wrong");
    expect(said).not.toContain(secret);
  });
});

describe("a wrong value is named with its place and with what is right", () => {
  test("in a flag", async () => {
    const flags = { missedBeats: "many" };
    expect(await refusal(loadConfig("tracker", { flags, env: trackerEnv }))).toBe(
      'USAGE: --missed-beats: "many" is wrong: it is no whole number; ' +
        "give a whole number from 2 to 1000",
    );
  });

  test("in a variable", async () => {
    const env = { ...trackerEnv, DSM_CAPABILITY_TTL: "60" };
    expect(await refusal(loadConfig("tracker", { env }))).toContain(
      'BAD_CONFIG: DSM_CAPABILITY_TTL: "60" is wrong: it has no unit; give a duration from',
    );
  });

  test("in the file", async () => {
    await using dir = await tempDir();
    const configPath = await configFile(dir, `[tracker]\nmissed_beats = "3"\n`);
    expect(await refusal(loadConfig("tracker", { env: trackerEnv, configPath }))).toBe(
      `BAD_CONFIG: ${configPath}: missed_beats in [tracker]: "3" is wrong: ` +
        "it is a string and no whole number; give a whole number from 2 to 1000",
    );
  });

  test("without the password of a URL", async () => {
    const env = { DSM_CATALOG: "postgres://dsm:hunter2@h/d" };
    const said = await refusal(loadConfig("tracker", { env }));
    expect(said).toContain('DSM_CATALOG: "postgres://…@h/d" is wrong');
    expect(said).not.toContain("hunter2");
  });

  test("before a missing one", async () => {
    expect(await refusal(loadConfig("storage", { flags: { listen: "x" }, env: {} }))).toContain(
      "USAGE: --listen",
    );
    expect(await refusal(loadConfig("storage", { env: {} }))).toBe(
      "BAD_CONFIG: a storage needs trackers; set --tracker, DSM_TRACKERS, or trackers in the " +
        "--config file to a list of values separated by commas, each HOST:PORT, as in " +
        "127.0.0.1:7600 or [::1]:7600",
    );
  });
});

describe("the file", () => {
  const cases: Array<[string, string, string]> = [
    [
      "an unknown key",
      "[tracker]\nlissen = 1",
      "the key lissen in [tracker] is unknown; did you mean listen?",
    ],
    [
      "an unknown section",
      "[traker]\nx = 1",
      "the section [traker] is unknown; did you mean [tracker]?",
    ],
    [
      "a key in the wrong place",
      'listen = "a:1"',
      "the key listen is unknown; it belongs into [tracker] or into [id] or into [storage]",
    ],
    [
      "a section called common",
      "[common]\nx = 1",
      "the section [common] is unknown; sections are tracker, id, storage, gateway",
    ],
    [
      "a section that is no table",
      "tracker = 1",
      "tracker is a section and no value; write [tracker] on a line of its own",
    ],
    [
      "broken TOML",
      'log_level = "info"\n\n[tracker]\nmissed_beats = = 3\n',
      ", line 4: Expected a value",
    ],
  ];
  for (const [what, text, words] of cases) {
    test(`with ${what} is refused`, async () => {
      await using dir = await tempDir();
      const configPath = await configFile(dir, text);
      const said = await refusal(loadConfig("tracker", { env: trackerEnv, configPath }));
      expect(said).toStartWith(`BAD_CONFIG: ${configPath}`);
      expect(said).toContain(words);
    });
  }

  test("that does not exist is refused", async () => {
    const configPath = "/nonexistent/dsm.toml";
    expect(await refusal(loadConfig("client", { env: {}, configPath }))).toContain("ENOENT");
  });
});

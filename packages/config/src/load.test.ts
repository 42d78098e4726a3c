import { describe, expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DsmError } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { loadConfig } from "./load.ts";

const secret = "s".repeat(32);
const trackerEnv = { DSM_SECRET: secret, DSM_CATALOG: "sqlite:/tmp/x.db" };
const storageEnv = {
  ...trackerEnv,
  DSM_TRACKERS: "a:1,b:2",
  DSM_ID_SERVERS: "c:3",
  DSM_ID: "s1",
  DSM_GROUP: "g1",
  DSM_ROOT: "/mnt/g1",
};

async function configFile(dir: { path: string }, text: string, mode = 0o600): Promise<string> {
  const path = join(dir.path, "dsm.toml");
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

async function refusal(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => "it was taken",
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DsmError)) throw error;
  return `${error.code}: ${error.message}; ${error.remedy}`;
}

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
        "give a whole number from 1 to 1000",
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
        "it is a string and no whole number; give a whole number from 1 to 1000",
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

describe("options that must fit together", () => {
  const gatewayEnv = { DSM_SECRET: secret, DSM_TRACKERS: "a:1" };

  test("a gateway open to others needs a write key", async () => {
    const env = { ...gatewayEnv, DSM_HTTP: "0.0.0.0:80" };
    expect(await refusal(loadConfig("gateway", { env }))).toBe(
      "BAD_CONFIG: DSM_HTTP: 0.0.0.0:80 is open to others than this machine and there is no " +
        "write key; set DSM_WRITE_KEY or write_key in [gateway], or listen on 127.0.0.1",
    );
    const guarded = await loadConfig("gateway", { env: { ...env, DSM_WRITE_KEY: "k" } });
    expect(guarded.writeKey).toBe("k");
  });

  test("signed reads need a link key", async () => {
    const env = { ...gatewayEnv, DSM_READS: "signed" };
    expect(await refusal(loadConfig("gateway", { env }))).toBe(
      "BAD_CONFIG: DSM_READS: signed reads need a link key; set DSM_LINK_KEYS or link_keys in " +
        "[gateway] to ID:SECRET, the secret from: openssl rand -hex 32",
    );
    const keyed = await loadConfig("gateway", { env: { ...env, DSM_LINK_KEYS: `k1:${secret}` } });
    expect(keyed).toMatchObject({ reads: "signed", linkKeys: [{ id: "k1", secret }] });
  });

  test("a link key that is wrong or there twice is not told", async () => {
    const short = secret.slice(1);
    for (const keys of [`k1:${short}`, `k1:${secret},k1:${secret}`, `k1${secret}`]) {
      const said = await refusal(
        loadConfig("gateway", { env: { ...gatewayEnv, DSM_LINK_KEYS: keys } }),
      );
      expect(said).toStartWith("BAD_CONFIG: DSM_LINK_KEYS: the value is wrong: value ");
      expect(said).not.toContain(short);
    }
  });

  test("a client reads of the gateway's section what it needs to make links", async () => {
    await using dir = await tempDir();
    const configPath = await configFile(
      dir,
      `[gateway]\nlink_keys = ["k1:${secret}"]\npublic_url = "https://m.example.org"\n`,
    );
    const { linkKeys, publicUrl, writeKey } = await loadConfig("client", {
      env: { DSM_WRITE_KEY: "w" },
      configPath,
    });
    expect({ linkKeys, publicUrl, writeKey }).toEqual({
      linkKeys: [{ id: "k1", secret }],
      publicUrl: "https://m.example.org",
      writeKey: "w",
    });
  });

  test("a storage that listens everywhere says where it is reached", async () => {
    const env = { ...storageEnv, DSM_LISTEN: "0.0.0.0:7800" };
    expect(await refusal(loadConfig("storage", { env }))).toContain("set --data-url");
    const reachable = { ...env, DSM_DATA_URL: "http://10.0.0.5:7800" };
    expect((await loadConfig("storage", { env: reachable })).dataUrl).toBe("http://10.0.0.5:7800");
  });

  test("so does one whose public port is open to every address", async () => {
    const env = { ...storageEnv, DSM_PUBLIC_LISTEN: "0.0.0.0:7801" };
    expect(await refusal(loadConfig("storage", { env }))).toBe(
      "BAD_CONFIG: DSM_PUBLIC_LISTEN: 0.0.0.0:7801 is no address that others can connect to; " +
        "set --public-url, DSM_PUBLIC_URL or public_url in [storage] to one that they can",
    );
    const publicUrl = "https://s1.example.org";
    const reachable = await loadConfig("storage", { env: { ...env, DSM_PUBLIC_URL: publicUrl } });
    expect(reachable).toMatchObject({
      publicUrl,
      publicListen: { hostname: "0.0.0.0", port: 7801 },
    });
  });

  test("workers of a storage share a public port, so it has a number", async () => {
    const env = { ...storageEnv, DSM_PUBLIC_LISTEN: "127.0.0.1:0", DSM_WORKERS: "2" };
    expect(await refusal(loadConfig("storage", { env }))).toContain(
      "2 workers cannot share port 0",
    );
    expect((await loadConfig("storage", { env: { ...env, DSM_WORKERS: "1" } })).workers).toBe(1);
  });
});

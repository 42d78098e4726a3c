import { describe, expect, test } from "bun:test";
import { tempDir } from "@dsm/testkit";
import { loadConfig } from "./load.ts";
import { configFile, refusal, secret, storageEnv } from "./testing/loading.ts";

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

  test("a certificate comes with its key, and HTTP/3 with both", async () => {
    const pair = { DSM_TLS_CERT: "/etc/cert.pem", DSM_TLS_KEY: "/etc/key.pem" };
    const alone = (role: "gateway" | "storage", env: Record<string, string>) =>
      refusal(loadConfig(role, { env: { ...storageEnv, ...env } }));
    expect(await alone("gateway", { DSM_TLS_CERT: "/etc/cert.pem" })).toBe(
      "BAD_CONFIG: DSM_TLS_CERT: TLS needs a key as well; set --tls-key, DSM_TLS_KEY or tls_key",
    );
    expect(await alone("storage", { DSM_TLS_KEY: "/etc/key.pem" })).toContain(
      "TLS needs a certificate as well",
    );
    expect(await alone("gateway", { DSM_HTTP3: "true" })).toContain("HTTP/3 needs TLS");
    const env = { DSM_SECRET: secret, DSM_TRACKERS: "a:1", ...pair, DSM_HTTP3: "true" };
    expect(await loadConfig("gateway", { env })).toMatchObject({
      tlsCert: "/etc/cert.pem",
      tlsKey: "/etc/key.pem",
      http3: true,
    });
  });

  test("a data port that speaks TLS has an https URL", async () => {
    const env = {
      ...storageEnv,
      DSM_TLS_CERT: "/etc/cert.pem",
      DSM_TLS_KEY: "/etc/key.pem",
      DSM_DATA_URL: "http://10.0.0.5:7800",
    };
    expect(await refusal(loadConfig("storage", { env }))).toContain("begin it with https://");
    const onPublic = { ...env, DSM_PUBLIC_LISTEN: "127.0.0.1:7801" };
    expect((await loadConfig("storage", { env: onPublic })).dataUrl).toBe(env.DSM_DATA_URL);
  });

  test("workers of a storage share a public port, so it has a number", async () => {
    const env = { ...storageEnv, DSM_PUBLIC_LISTEN: "127.0.0.1:0", DSM_WORKERS: "2" };
    expect(await refusal(loadConfig("storage", { env }))).toContain(
      "2 workers cannot share port 0",
    );
    expect((await loadConfig("storage", { env: { ...env, DSM_WORKERS: "1" } })).workers).toBe(1);
  });
});

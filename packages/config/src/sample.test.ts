import { expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { loadConfig } from "./load.ts";
import { namedOptions } from "./names.ts";
import { sampleToml } from "./sample.ts";

test("the sample as it is sets nothing", async () => {
  await using dir = await tempDir();
  const configPath = join(dir.path, "dsm.toml");
  await writeFile(configPath, sampleToml());
  const env = {};
  expect(await loadConfig("client", { env, configPath })).toEqual(
    await loadConfig("client", { env }),
  );
});

test("the sample with every option switched on serves every role", async () => {
  await using dir = await tempDir();
  const configPath = join(dir.path, "dsm.toml");
  // The secret and the secret file exclude each other.
  const text = sampleToml().replaceAll(/^# (?!secret_file)/gm, "");
  await writeFile(configPath, text);
  await chmod(configPath, 0o600);
  for (const role of ["tracker", "id", "storage", "gateway", "client"] as const) {
    const loaded = await loadConfig(role, { env: {}, configPath });
    const expected = namedOptions
      .filter((it) => it.roles.includes(role) && it.key !== "secretFile")
      .map(({ key, option }) => [key, option.example]);
    expect(loaded as Record<string, unknown>).toEqual(Object.fromEntries(expected));
  }
});

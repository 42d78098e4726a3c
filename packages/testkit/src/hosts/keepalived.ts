import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../until.ts";
import type { Host, HostProcess } from "./host.ts";

export interface KeepalivedTerms {
  /** With `keepalived.conf` and what it includes; copied to the host as it is. */
  readonly folder: string;
  /** Instead of the values of `$NAME=` in that file. */
  readonly values: Readonly<Record<string, string>>;
  /** Instead of the texts of other files of the folder. */
  readonly files: Readonly<Record<string, string>>;
}

/** Why Keepalived cannot be tested here; undefined where it can. */
export const keepalivedMissing =
  Bun.which("keepalived") === null ? "not installed: keepalived" : undefined;

/** Runs Keepalived on a host, as its service does. Resolves when it takes part. */
export async function startKeepalived(host: Host, terms: KeepalivedTerms): Promise<HostProcess> {
  const folder = join(host.dir, "keepalived");
  await mkdir(folder, { recursive: true });
  await cp(terms.folder, folder, { recursive: true });
  const file = join(folder, "keepalived.conf");
  await writeFile(file, withValues(await readFile(file, "utf8"), terms.values));
  for (const [name, text] of Object.entries(terms.files)) await writeFile(join(folder, name), text);
  const args = ["--dont-fork", "--log-console", "--log-detail", "--use-file", file];
  await host.run(["keepalived", "--config-test", "--use-file", file]);
  const started = await host.start({ cmd: ["keepalived", ...args] });
  await until("keepalived has started", () => {
    if (!started.isRunning()) throw new Error(`keepalived has ended: ${started.stderr()}`);
    return started.stderr().includes("Startup complete");
  });
  return started;
}

/** Whether the host has the address now, as its own network card sees it. */
export async function hasAddress(host: Host, address: string): Promise<boolean> {
  if (!host.isOn) return false;
  return (await host.run(["ip", "-4", "-oneline", "address"])).includes(` ${address}/`);
}

function withValues(text: string, values: Readonly<Record<string, string>>): string {
  let filled = text;
  for (const [name, value] of Object.entries(values)) {
    const line = new RegExp(`^\\$${name}=.*$`, "m");
    if (!line.test(filled)) throw new RangeError(`keepalived.conf has no $${name}`);
    filled = filled.replace(line, () => `$${name}=${value}`);
  }
  return filled;
}

import { randomBytes } from "node:crypto";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSecretFile } from "@dsm/config";

const secretBytes = 32;

/** The secret of the cluster in a data folder, made at its first start and kept from then on. */
export async function keptSecret(dataDir: string): Promise<string> {
  const path = join(dataDir, "secret");
  if (!(await exists(path))) {
    const secret = randomBytes(secretBytes).toString("hex");
    await writeFile(path, `${secret}\n`, { mode: 0o600, flag: "wx" });
  }
  return readSecretFile(path, "the data folder");
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

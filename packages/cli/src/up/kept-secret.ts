import { randomBytes } from "node:crypto";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSecretFile } from "@dsm/config";
import { type LinkKey, showLinkKey } from "@dsm/protocol";
import { readLinkKeyFile } from "../url/link-key-file.ts";

const secretBytes = 32;

/** The secret of the cluster in a data folder, made at its first start and kept from then on. */
export async function keptSecret(dataDir: string): Promise<string> {
  const path = join(dataDir, "secret");
  if (!(await exists(path))) {
    await writeFile(path, `${newSecret()}\n`, { mode: 0o600, flag: "wx" });
  }
  return readSecretFile(path, "the data folder");
}

/** The keys of signed links, one a line; to rotate, a new one is put before the others. */
export async function keptLinkKeys(dataDir: string): Promise<readonly LinkKey[]> {
  const path = join(dataDir, "link-keys");
  if (!(await exists(path))) {
    const key = { id: "k1", secret: newSecret() };
    await writeFile(path, `${showLinkKey(key)}\n`, { mode: 0o600, flag: "wx" });
  }
  return readLinkKeyFile(path, "the data folder");
}

function newSecret(): string {
  return randomBytes(secretBytes).toString("hex");
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

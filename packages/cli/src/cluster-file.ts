import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DsmError, systemErrorCode } from "@dsm/protocol";

/** What `dsm up` writes into its data folder, so that commands find the cluster by themselves. */
export interface ClusterFile {
  readonly trackers: readonly string[];
  readonly secret: string;
  readonly http: string;
  /** Data URLs. */
  readonly storages: readonly string[];
  /** Their public URLs, in the same order; a file of an older start has none. */
  readonly publicUrls?: readonly string[];
  readonly pid: number;
  /** `ID:SECRET`, the first signs links; a file of an older start has none. */
  readonly linkKeys?: readonly string[];
}

export function clusterFilePath(dataDir: string): string {
  return join(dataDir, "cluster.json");
}

/** Undefined when there is none. @throws DsmError BAD_CONFIG when it cannot be used */
export async function readClusterFile(dataDir: string): Promise<ClusterFile | undefined> {
  const path = clusterFilePath(dataDir);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw broken(path, code ?? String(cause), cause);
  }
  const file = parse(path, text);
  if (!isClusterFile(file)) throw broken(path, "it lacks trackers or a secret");
  return file;
}

/** Whole or not at all, and for the owner alone: it holds the secret. */
export async function writeClusterFile(dataDir: string, file: ClusterFile): Promise<void> {
  const path = clusterFilePath(dataDir);
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  await writeFile(draft, `${JSON.stringify(file, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
  await rename(draft, path);
}

export async function removeClusterFile(dataDir: string): Promise<void> {
  await rm(clusterFilePath(dataDir), { force: true });
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw broken(path, "it is no JSON", cause);
  }
}

function isClusterFile(value: unknown): value is ClusterFile {
  if (typeof value !== "object" || value === null) return false;
  const { trackers, secret } = value as Partial<Record<keyof ClusterFile, unknown>>;
  const hasTrackers = Array.isArray(trackers) && trackers.every((it) => typeof it === "string");
  return hasTrackers && trackers.length > 0 && typeof secret === "string";
}

function broken(path: string, why: string, cause?: unknown): DsmError {
  return new DsmError("BAD_CONFIG", `${path} cannot be used: ${why}`, {
    remedy: "name a tracker with --tracker, or start dsm up again, which writes it anew",
    cause,
  });
}

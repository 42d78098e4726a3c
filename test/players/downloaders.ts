import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { mustRun, runTool } from "./run-tool.ts";

/** The SHA-256 of a file, read piece by piece. */
export async function sha256Of(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(path).stream()) hasher.update(chunk);
  return hasher.digest("hex");
}

/** @returns the SHA-256 of what wget got */
export async function wget(url: string): Promise<string> {
  await using dir = await tempDir();
  const path = join(dir.path, "got");
  await mustRun(["wget", "-q", "--tries=1", "-O", path, url]);
  return sha256Of(path);
}

/** Quiet but for errors, which a status of 4xx or 5xx is; redirects are followed. */
const curlFlags = ["-sS", "-f", "-L"];

/** @returns the SHA-256 of what curl got */
export async function curl(url: string): Promise<string> {
  await using dir = await tempDir();
  const path = join(dir.path, "got");
  await mustRun(["curl", ...curlFlags, "-o", path, url]);
  return sha256Of(path);
}

/**
 * Cuts a download after its first bytes and resumes it with `-C -`.
 * @returns the SHA-256 of the whole, and how many bytes the second run had to get
 */
export async function curlResumed(url: string): Promise<{ sha256: string; resumedBytes: number }> {
  await using dir = await tempDir();
  const path = join(dir.path, "got");
  // A rate limit and a time limit together end it in the middle (exit code 28).
  const cut = await runTool([
    "curl",
    ...curlFlags,
    "--limit-rate",
    "2M",
    "-m",
    "1",
    "-o",
    path,
    url,
  ]);
  if (cut.code !== 28 && cut.code !== 0)
    throw new Error(`curl ended with ${cut.code}: ${cut.stderr}`);
  // Small files may have come whole; then the resume is made to start in their middle.
  const { size } = await stat(path);
  const cutBytes = cut.code === 0 ? Math.floor(size / 2) : size;
  const file = await open(path, "r+");
  await file.truncate(cutBytes);
  await file.close();
  await mustRun(["curl", ...curlFlags, "-C", "-", "-o", path, url]);
  const whole = await stat(path);
  return { sha256: await sha256Of(path), resumedBytes: whole.size - cutBytes };
}

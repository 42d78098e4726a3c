import { open, writeFile } from "node:fs/promises";

/**
 * Writes a file that is not there yet; with `sync` its bytes are durable when this resolves. That
 * is no matter for `writeFile`: Bun's has an option `flush`, and drops what fsync(2) answers.
 * @throws Error with the code of the system; what was written by then stays
 */
export async function writeNewFile(
  path: string,
  bytes: string | Uint8Array,
  { sync }: { sync: boolean },
): Promise<void> {
  if (!sync) return writeFile(path, bytes, { flag: "wx", mode: 0o644 });
  const file = await open(path, "wx", 0o644);
  try {
    await file.writeFile(bytes);
    await file.datasync();
  } catch (error) {
    // That is the failure to tell; closing can add nothing to it.
    await file.close().catch(() => undefined);
    throw error;
  }
  await file.close();
}

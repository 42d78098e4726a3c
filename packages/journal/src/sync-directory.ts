import { open } from "node:fs/promises";

/** Makes the entries of a directory durable: fsync(2) of a file says nothing of its name. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

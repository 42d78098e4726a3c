import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { assertGroup, DsmError, systemErrorCode } from "@dsm/protocol";

const example = "--root g1=/mnt/g1,g2=/mnt/g2";

/** Reads `GROUP=FOLDER,…`. @throws DsmError USAGE, BAD_NAME */
export function parseGroupRoots(text: string): Map<string, string> {
  const roots = new Map<string, string>();
  for (const entry of text.split(",")) {
    const at = entry.indexOf("=");
    const [group, folder] = [entry.slice(0, at), entry.slice(at + 1)];
    if (at < 1 || folder === "") throw wrong(`${JSON.stringify(entry)} is no GROUP=FOLDER`);
    assertGroup(group);
    if (roots.has(group)) throw wrong(`group ${group} is named twice`);
    roots.set(group, resolve(folder));
  }
  return roots;
}

/** The groups of a `dsm up`. @throws DsmError USAGE when there are none */
export async function groupRootsOf(dataDir: string): Promise<Map<string, string>> {
  const folder = resolve(dataDir, "groups");
  try {
    const names = (await readdir(folder)).toSorted();
    if (names.length > 0) return new Map(names.map((name) => [name, join(folder, name)]));
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code !== "ENOENT" && code !== "ENOTDIR") throw cause;
  }
  throw new DsmError("USAGE", `no group is named, and ${dataDir} holds none of a dsm up`, {
    remedy: `name the folders of all groups, as ${example}`,
  });
}

function wrong(why: string): DsmError {
  return new DsmError("USAGE", `--root: ${why}`, { remedy: `write it as ${example}` });
}

import { lstat, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { assertFileId, DsmError, systemErrorCode } from "@dsm/protocol";

/** One file to be uploaded. */
export interface PlannedUpload {
  /** `-` for standard input. */
  readonly path: string;
  readonly fileId: string;
}

export interface UploadPlan {
  readonly uploads: readonly PlannedUpload[];
  /** What is left out, in words. */
  readonly skipped: readonly string[];
}

/**
 * Turns paths into uploads and checks every name before a byte is sent. Folders are walked; the
 * path below the folder is the file id. Symbolic links below a folder are left out, since they
 * may lead out of it or in circles; one that is named itself is followed.
 * @throws DsmError USAGE or BAD_NAME
 */
export async function planUploads(
  paths: readonly string[],
  id: string | undefined,
): Promise<UploadPlan> {
  const uploads: PlannedUpload[] = [];
  const skipped: string[] = [];
  // In the order of the command line, which is also the order of the uploads.
  for (const path of paths) {
    if (path === "-") uploads.push({ path, fileId: idOfStdin(id) });
    else if (await isFolder(path)) await walk(path, "", uploads, skipped);
    else uploads.push({ path, fileId: id ?? basename(path) });
  }
  /* oxlint-enable no-await-in-loop */
  if (id !== undefined && (paths.length !== 1 || uploads[0]?.path !== paths[0])) {
    throw new DsmError("USAGE", "--id names one file and more are given", {
      remedy: "upload that file alone, or leave --id away",
    });
  }
  assertNames(uploads);
  return { uploads, skipped };
}

function idOfStdin(id: string | undefined): string {
  if (id !== undefined) return id;
  throw new DsmError("USAGE", "standard input has no name", { remedy: "name it with --id" });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    // With the slash a link to a folder is followed, and a file is ENOTDIR.
    return (await lstat(`${path}/`)).isDirectory();
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === "ENOTDIR") return false;
    const why = code === "ENOENT" ? "there is no such file or folder" : (code ?? String(cause));
    throw new DsmError("USAGE", `cannot upload ${path}: ${why}`, { cause });
  }
}

async function walk(
  folder: string,
  prefix: string,
  uploads: PlannedUpload[],
  skipped: string[],
): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    const fileId = `${prefix}${entry.name}`;
    if (entry.isDirectory()) await walk(path, `${fileId}/`, uploads, skipped);
    else if (entry.isFile()) uploads.push({ path, fileId });
    else skipped.push(`${path} is left out: it is ${kindOf(entry)}`);
  }
}

function kindOf(entry: { isSymbolicLink(): boolean }): string {
  return entry.isSymbolicLink() ? "a symbolic link" : "no plain file";
}

function assertNames(uploads: readonly PlannedUpload[]): void {
  const paths = new Map<string, string>();
  for (const { path, fileId } of uploads) {
    assertFileId(fileId);
    const other = paths.get(fileId);
    if (other !== undefined) {
      throw new DsmError("USAGE", `${other} and ${path} would both be ${JSON.stringify(fileId)}`, {
        remedy: "upload them one at a time with --id",
      });
    }
    paths.set(fileId, path);
  }
}

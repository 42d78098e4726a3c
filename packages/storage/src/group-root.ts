import { link, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Catalog } from "@dsm/catalog";
import { type GroupMark, groupMark, groupMarkerName } from "@dsm/delivery";
import { DsmError, systemErrorCode } from "@dsm/protocol";
import { syncDirectory } from "@dsm/journal";
import { writeNewFile } from "./write-new-file.ts";

interface GroupRootOptions {
  readonly root: string;
  readonly group: string;
  readonly catalog: Pick<Catalog, "groupIdOf" | "claimGroupId">;
}

/**
 * Makes sure that `root` is the file system of `group`: its marker has the id that the catalog
 * has. The first storage of a group makes both. To a folder that is refused nothing is written,
 * but for two storages that begin one group in two folders at once: the later one is refused.
 * @throws DsmError DATA_NOT_WRITABLE, DATA_CORRUPT, BAD_CONFIG or CATALOG_UNAVAILABLE
 */
export async function claimGroupRoot({ root, group, catalog }: GroupRootOptions): Promise<void> {
  const known = await catalog.groupIdOf(group);
  let mark = await groupMark(root);
  if (mark === undefined) {
    if (known !== undefined) throw notMounted(root, group, known);
    mark = await firstMark(root, group);
  }
  assertGroup(root, group, mark);
  const inForce = await catalog.claimGroupId(group, mark.id ?? crypto.randomUUID(), Date.now());
  // The row comes first: members that bring an old marker up to date at once agree on the id.
  if (mark.id === undefined) await orNotWritable(root, () => replaceMarker(root, group, inForce));
  else if (mark.id !== inForce) throw notTheSame(root, group, mark.id, inForce);
  await orNotWritable(root, () => makeFolders(root));
}

/** Of storages that begin a group at the same moment all get the mark of one. */
async function firstMark(root: string, group: string): Promise<GroupMark> {
  const made = { group, id: crypto.randomUUID() };
  await orNotWritable(root, async () => {
    await mkdir(root, { recursive: true });
    await linkMarker(root, made);
  });
  return (await groupMark(root)) ?? made;
}

/**
 * Written beside and linked into place: of storages that start at the same moment one link
 * succeeds, and nobody ever reads a marker that is half written.
 */
async function linkMarker(root: string, mark: GroupMark): Promise<void> {
  const marker = join(root, groupMarkerName);
  const draft = await writeDraft(marker, mark);
  try {
    await link(draft, marker);
    await syncDirectory(root);
  } catch (error) {
    if (systemErrorCode(error) !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** All who do so at once write the same. */
async function replaceMarker(root: string, group: string, id: string): Promise<void> {
  const marker = join(root, groupMarkerName);
  const draft = await writeDraft(marker, { group, id });
  try {
    await rename(draft, marker);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(root);
}

async function writeDraft(marker: string, mark: GroupMark): Promise<string> {
  const draft = `${marker}.${crypto.randomUUID()}`;
  try {
    await writeNewFile(draft, `${JSON.stringify(mark)}\n`, { sync: true });
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return draft;
}

async function makeFolders(root: string): Promise<void> {
  for (const folder of ["blobs", "journal"]) await mkdir(join(root, folder), { recursive: true });
}

function assertGroup(root: string, group: string, mark: GroupMark): void {
  if (mark.group === group) return;
  throw new DsmError(
    "BAD_CONFIG",
    `${root} belongs to group ${mark.group}, not to group ${group}`,
    {
      remedy: "give --group the group of that folder, or --root a folder of its own",
    },
  );
}

function notMounted(root: string, group: string, id: string): DsmError {
  const why = `${root} has no marker of group ${group}, which the catalog knows already`;
  const marker = JSON.stringify({ group, id });
  return new DsmError("BAD_CONFIG", `${why}: is its file system mounted there?`, {
    remedy: `mount it; only if its files are lost for good, begin anew on an empty file system: put '${marker}' into ${join(root, groupMarkerName)}`,
  });
}

function notTheSame(root: string, group: string, marked: string, known: string): DsmError {
  const ids = `its marker has the id ${marked}, the catalog has ${known}`;
  return new DsmError(
    "BAD_CONFIG",
    `${root} is another file system than group ${group}'s: ${ids}`,
    {
      remedy:
        "this is a disk of another cluster, an old one, or --catalog names another catalog: mount the group's file system there, which all its storages share",
    },
  );
}

async function orNotWritable(root: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    const code = systemErrorCode(cause) ?? "unknown error";
    throw new DsmError("DATA_NOT_WRITABLE", `the folder ${root} cannot be written: ${code}`, {
      cause,
      remedy: "give this process a folder that it may write",
    });
  }
}

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { hasLife, type JournalPart, journalParts } from "@dsm/journal";
import { systemErrorCode } from "@dsm/protocol";
import { scrubFolder } from "../scrub/replace-file.ts";
import { readSettledParts } from "../settled-parts.ts";
import type { Fault } from "./finding.ts";

/**
 * Parts of journals that are gone or have become shorter, by the traces that they left: what a
 * storage noted of them when it had settled them, the numbers of the parts of a life, and the
 * leases, which name a life that began a journal before it took one. A journal that left none of
 * these is not missed by anybody.
 */
export async function missingParts(root: string): Promise<Fault[]> {
  // Parts only grow: what was noted before they are listed is never more than they have.
  const noted = await notedBytes(root);
  const owners = await leaseOwners(root);
  const parts = await journalParts(root);
  const sizes = new Map(parts.map(({ path, sizeBytes }) => [path, sizeBytes]));
  const why = new Map<string, string>();
  for (const path of gapsIn(parts)) why.set(path, "a later part of the same life is there");
  for (const [path, bytes] of noted) {
    const left = sizes.get(path);
    if (left === undefined) why.set(path, `it is gone, and had ${bytes} bytes`);
    else if (left < bytes) why.set(path, `it has ${left} bytes, and had ${bytes}`);
  }
  for (const owner of owners) {
    if (await hasLife(root, owner)) continue;
    const { storageId, incarnation } = owner;
    why.set(`journal/${storageId}`, `the life ${incarnation} held a lease and has no part here`);
  }
  return [...why].map(([path, detail]) => ({ kind: "journal-missing", facts: { path, detail } }));
}

async function notedBytes(root: string): Promise<Map<string, number>> {
  const noted = new Map<string, number>();
  for (const storageId of await namesIn(join(root, "journal"))) {
    const settled = await readSettledParts(root, storageId);
    for (const [path, bytes] of Object.entries(settled)) noted.set(path, bytes);
  }
  return noted;
}

/** The parts of a life are numbered from 0. */
function gapsIn(parts: readonly JournalPart[]): string[] {
  const gaps: string[] = [];
  for (const [life, ofLife] of Map.groupBy(parts, (part) => part.life)) {
    const numbers = new Set(ofLife.map(({ path }) => Number(/(\d+)\.log$/.exec(path)?.[1])));
    for (let number = 0; number < Math.max(...numbers); number++) {
      if (numbers.has(number)) continue;
      gaps.push(`journal/${life}-${String(number).padStart(6, "0")}.log`);
    }
  }
  return gaps;
}

/** Who holds the leases of the group, or held them last; see group-lease.ts. */
async function leaseOwners(root: string) {
  const owners: Array<{ storageId: string; incarnation: string }> = [];
  for (const name of await namesIn(scrubFolder(root))) {
    if (!/lease-\d{10}$/.test(name)) continue;
    // One that was just taken over is gone.
    const text = await readFile(join(scrubFolder(root), name), "utf8").catch(() => "");
    const [storageId, incarnation, state] = text.split("\n");
    if (!storageId || !incarnation || !state) continue;
    owners.push({ storageId, incarnation });
  }
  return owners;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}

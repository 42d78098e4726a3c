import {
  type JournalPart,
  type JournalRecord,
  journalParts,
  readPart,
  type RecordIndex,
} from "@dsm/journal";
import type { Steps } from "../progress.ts";
import type { Finding } from "./finding.ts";

/** Root folders of the groups' file systems, by group. */
export type GroupRoots = ReadonlyMap<string, string>;

/** Records that are handled before others of this process get their turn. */
const turnRecords = 1_000;

/**
 * Puts the records of all groups into the index.
 * @throws DsmError STORAGE_FAILED when the folder of a journal cannot be read
 */
export async function readJournals(
  roots: GroupRoots,
  index: RecordIndex,
  steps: Steps,
  found: (finding: Finding) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const parts: Array<{ group: string; root: string; part: JournalPart }> = [];
  for (const [group, root] of roots) {
    for (const part of await journalParts(root)) parts.push({ group, root, part });
  }
  const totalBytes = parts.reduce((sum, { part }) => sum + part.sizeBytes, 0);
  steps.begin("reading journals", totalBytes, "bytes");
  for (const { group, root, part } of parts) {
    let lines = 0;
    for await (const line of readPart(root, part)) {
      if (++lines % turnRecords === 0) signal.throwIfAborted();
      const where = { path: `${group}:${line.path}`, line: line.line };
      if ("damage" in line) {
        await found({ kind: "damaged line", ...where, reason: line.damage });
      } else if (groupOf(line.record) !== undefined && groupOf(line.record) !== group) {
        await found({ kind: "foreign group", ...where, group: groupOf(line.record) ?? "" });
      } else index.add(line.record, `${group}/${part.life}`);
    }
    steps.advance(part.sizeBytes);
  }
  steps.end();
}

/** An abort names none: ids are unique in the whole cluster. */
function groupOf(record: JournalRecord): string | undefined {
  if (record.kind === "abort") return undefined;
  return record.kind === "put" ? record.file.group : record.group;
}

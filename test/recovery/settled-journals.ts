import type { Catalog } from "@dsm/catalog";
import { type IndexedChange, Journal, readRecords, RecordIndex } from "@dsm/journal";
import { limits } from "@dsm/protocol";

/**
 * Closes the records that crashes have left open, as each storage does for itself two minutes
 * after its next start: a test has no two minutes. @returns how many there were
 */
export async function settleJournals(root: string, catalog: Catalog): Promise<number> {
  const open = await openChanges(root, catalog);
  await using journal = await Journal.open(root, "settler", crypto.randomUUID());
  for (const { id, version } of open) {
    await journal.append([{ kind: "abort", id, version, atMs: Date.now() }]);
  }
  return open.length;
}

/** Changes without an abort and without a row; those of reaped versions are among them. */
async function openChanges(root: string, catalog: Catalog): Promise<IndexedChange[]> {
  using index = new RecordIndex();
  for await (const line of readRecords(root)) {
    if (!("record" in line)) throw new Error(`${line.path}:${line.line} ${line.damage}`);
    index.add(line.record, line.path);
  }
  const changes = [...index.byFile()].filter((change) => !change.aborted);
  const rows = new Set<string>();
  for (let at = 0; at < changes.length; at += limits.listMax) {
    const ids = changes.slice(at, at + limits.listMax).map((change) => change.id);
    for (const { id, version } of await catalog.rowsOf(ids)) rows.add(`${id} ${version}`);
  }
  return changes.filter(({ id, version }) => !rows.has(`${id} ${version}`));
}

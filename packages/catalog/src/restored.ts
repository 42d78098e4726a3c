import type { Dialect } from "./dialect.ts";
import { findMark, setMark } from "./queries/marks.ts";

const fromMark = "restored:";
const untilMark = "restored-until:";

/** To be called while nobody can commit yet: what is committed later is in this catalog. */
export async function markRestored(dialect: Dialect, backupAtMs: number): Promise<void> {
  await setMark(dialect, { name: fromMark, value: backupAtMs });
  await setMark(dialect, { name: untilMark, value: Date.now() });
}

/**
 * Undefined for a catalog that was not restored from a backup. The end is infinite where an older
 * version has restored, which did not say it.
 */
export async function restoredGap(dialect: Dialect) {
  const from = await findMark(dialect, fromMark);
  if (from === undefined) return undefined;
  const until = await findMark(dialect, untilMark);
  return { fromMs: from.value, untilMs: until?.value ?? Infinity };
}

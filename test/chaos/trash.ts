import type { Catalog } from "@dsm/catalog";
import { until } from "@dsm/testkit";
import { trashGraceMs } from "./cluster.ts";

/** The reaper looks every second; on a busy machine it may take some rounds. */
const emptyTimeoutMs = trashGraceMs + 60_000;

export async function untilTrashIsEmpty(catalog: Catalog, group: string): Promise<void> {
  const isEmpty = async () =>
    (await catalog.trashed({ group, beforeMs: Date.now() + 1, limit: 1 })).length === 0;
  await until("the trash is empty", isEmpty, emptyTimeoutMs);
}

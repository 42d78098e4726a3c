import { statfs } from "node:fs/promises";
import { hasLife } from "@dsm/journal";
import { DsmError } from "@dsm/protocol";
import { z } from "zod";
import type { MaintenanceLines } from "../maintenance-stream.ts";
import type { SyncMode } from "../sync/open-group-sync.ts";

/** More members than any group has. */
const livesMax = 64;

const lifeSchema = z.object({
  // It becomes part of a path.
  storageId: z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/),
  incarnation: z.string().min(1).max(64),
});
/** One start of one storage, as the trackers know it. */
export type Life = z.infer<typeof lifeSchema>;

const paramsSchema = z.strictObject({ lives: z.array(lifeSchema).max(livesMax) });

/** How a storage finds its root. */
export const rootSeenSchema = z.object({
  /** Of the lives that it was asked for, the storages of those that have left no trace there. */
  unseen: z.array(z.string()),
  /** 0 where the file system makes inodes as it needs them. */
  inodes: z.number(),
  freeInodes: z.number(),
  /** How what it acknowledges becomes durable. */
  sync: z.string(),
});
export type RootSeen = z.infer<typeof rootSeenSchema>;

interface RootJobOptions {
  readonly root: string;
  readonly sync?: SyncMode | undefined;
  /** @throws DsmError STORAGE_FAILED when the group's file system is not there */
  readonly assertMounted: () => Promise<void>;
}

/**
 * A look at the root of this storage, and for lives of other storages there: those that have left
 * no trace have another file system. A joining storage asks the members so, and `dsm doctor` all.
 */
export async function* rootJob(
  { root, sync = "auto", assertMounted }: RootJobOptions,
  params: unknown,
): MaintenanceLines {
  const parsed = paramsSchema.safeParse(params);
  if (!parsed.success) {
    const why = z.prettifyError(parsed.error).replaceAll(/\s+/g, " ");
    throw new DsmError("BAD_REQUEST", `the root cannot be asked about so: ${why}`);
  }
  await assertMounted();
  const unseen: string[] = [];
  for (const life of parsed.data.lives) {
    if (!(await hasLife(root, life))) unseen.push(life.storageId);
  }
  const { files, ffree } = await statfs(root);
  const seen: RootSeen = { unseen, inodes: files, freeInodes: ffree, sync };
  yield { done: seen };
}

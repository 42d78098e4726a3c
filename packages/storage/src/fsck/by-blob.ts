import type { Catalog, KnownBlob } from "@dsm/catalog";
import type { IdHistory } from "@dsm/journal";
import { type BlobId, limits } from "@dsm/protocol";
import { Cursor } from "./cursor.ts";
import { type DiskFile, diskFiles } from "./disk-files.ts";

/** What catalog, disk and journals say of one blob. */
export interface BlobBooks {
  readonly id: BlobId;
  readonly known: KnownBlob | undefined;
  readonly blob: DiskFile | undefined;
  readonly sidecar: DiskFile | undefined;
  readonly history: IdHistory | undefined;
}

interface Sources {
  readonly root: string;
  readonly group: string;
  readonly catalog: Pick<Catalog, "blobs">;
  /** In the order of the ids. */
  readonly histories: Iterable<IdHistory>;
}

/**
 * Puts together what each book says of an id, in the order of the ids. Ids that stand in the
 * journals alone are left out: their blobs were reaped, or never came to be.
 */
export async function* byBlob(sources: Sources): AsyncGenerator<BlobBooks> {
  const { root } = sources;
  await using stack = new AsyncDisposableStack();
  const known = stack.use(await Cursor.open(knownBlobs(sources)));
  const blobs = stack.use(await Cursor.open(diskFiles(root, "blobs")));
  const sidecars = stack.use(await Cursor.open(diskFiles(root, "pieces")));
  const journal = stack.use(await Cursor.open(sources.histories));
  for (;;) {
    const id = least(known.next?.file.blobId, least(blobs.next?.id, sidecars.next?.id));
    if (id === undefined) return;
    while (journal.next !== undefined && journal.next.id < id) await journal.take();
    yield {
      id,
      known: known.next?.file.blobId === id ? await known.take() : undefined,
      blob: blobs.next?.id === id ? await blobs.take() : undefined,
      sidecar: sidecars.next?.id === id ? await sidecars.take() : undefined,
      history: journal.next?.id === id ? journal.next : undefined,
    };
  }
}

/** Ids have a fixed length, so text order is number order. */
function least(a: BlobId | undefined, b: BlobId | undefined): BlobId | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}

/** All that the catalog knows of a group, live or in the trash, in the order of the ids. */
export async function* knownBlobs({
  catalog,
  group,
}: Pick<Sources, "catalog" | "group">): AsyncGenerator<KnownBlob> {
  let after: BlobId | undefined;
  for (;;) {
    const query = { group, limit: limits.listMax, ...(after === undefined ? {} : { after }) };
    const page = await catalog.blobs(query);
    yield* page;
    if (page.length < limits.listMax) return;
    after = page.at(-1)?.file.blobId;
  }
}

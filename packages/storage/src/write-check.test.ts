import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Catalog, type Change, migrateCatalog, openCatalog } from "@dsm/catalog";
import { blobIdFromNumber, DsmError } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { FileCommits } from "./file-commits.ts";
import { writeCheck } from "./write-check.ts";

const name = { user: "ann", fileId: "f" };

function blob(number: number) {
  const rest = { group: "g1", sizeBytes: 1, sha256: "0".repeat(64), mediaType: "video/mp4" };
  return { ...name, ...rest, blobId: blobIdFromNumber(number) };
}

async function openTestCatalog(dir: string): Promise<Catalog> {
  const url = `sqlite:${join(dir, "catalog.db")}`;
  await migrateCatalog(url);
  const catalog = await openCatalog(url);
  await catalog.assignGroup(name.user, "g1", 1);
  return catalog;
}

test("a try whose client left takes nothing away from what was acknowledged since", async () => {
  await using dir = await tempDir();
  await using catalog = await openTestCatalog(dir.path);
  const committer = { commit: async (change: Change) => (await catalog.commit([change]))[0]! };
  const others = new FileCommits({ catalog, committer });
  const client = new AbortController();
  const request = { headers: new Headers(), signal: client.signal };
  const check = writeCheck(request, name);
  let asked = 0;
  const slow = new FileCommits({
    catalog,
    committer: {
      async commit(change) {
        // It looked before the connection broke. The client sends it again elsewhere, and then
        // somebody else uploads; both are acknowledged before this one gets to the catalog.
        if (asked++ === 0) {
          client.abort();
          await others.put({ ...name, check: () => {} }, blob(2));
          await others.put({ ...name, check: () => {} }, blob(3));
        }
        return committer.commit(change);
      },
    },
  });
  const failure = await slow.put({ ...name, check }, blob(1)).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DsmError);
  expect((failure as DsmError).code).toBe("UPLOAD_INCOMPLETE");
  expect((await catalog.current(name.user, name.fileId))?.file?.blobId).toBe(blobIdFromNumber(3));
});

test("as long as the client waits, who loses to another writer looks again and wins", async () => {
  await using dir = await tempDir();
  await using catalog = await openTestCatalog(dir.path);
  const committer = { commit: async (change: Change) => (await catalog.commit([change]))[0]! };
  const others = new FileCommits({ catalog, committer });
  const check = writeCheck({ headers: new Headers(), signal: new AbortController().signal }, name);
  let asked = 0;
  const slow = new FileCommits({
    catalog,
    committer: {
      async commit(change) {
        if (asked++ === 0) await others.put({ ...name, check: () => {} }, blob(2));
        return committer.commit(change);
      },
    },
  });
  expect((await slow.put({ ...name, check }, blob(1))).created).toBe(false);
  expect((await catalog.current(name.user, name.fileId))?.file?.blobId).toBe(blobIdFromNumber(1));
});

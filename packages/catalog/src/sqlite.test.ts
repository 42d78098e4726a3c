import { Database } from "bun:sqlite";
import { afterAll } from "bun:test";
import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { describeCatalog } from "./conformance.ts";
import { migrateCatalog } from "./index.ts";

const dir = await tempDir();
afterAll(() => dir[Symbol.asyncDispose]());

let files = 0;
async function emptyUrl(): Promise<string> {
  return `sqlite:${join(dir.path, `folder-${++files}`, "catalog.db")}`;
}

async function makeShared(): Promise<string> {
  const url = await emptyUrl();
  await migrateCatalog(url);
  return url;
}

let shared: Promise<string> | undefined;

describeCatalog({
  name: "SQLite",
  missing: undefined,
  emptyUrl,
  sharedUrl: () => (shared ??= makeShared()),
  async query(url, sql) {
    using database = new Database(url.slice("sqlite:".length));
    return database.query<Record<string, unknown>, []>(sql).all();
  },
});

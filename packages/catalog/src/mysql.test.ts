import { setDefaultTimeout } from "bun:test";
import { mariaDbMissing, sharedMariaDb } from "@dsm/testkit";
import { describeCatalog } from "./conformance.ts";
import { migrateCatalog } from "./index.ts";

// The first test also installs and starts a server, on a machine that may be busy.
setDefaultTimeout(60_000);

async function emptyUrl(): Promise<string> {
  return (await sharedMariaDb()).createDatabase();
}

async function makeShared(): Promise<string> {
  const url = await emptyUrl();
  await migrateCatalog(url);
  return url;
}

let shared: Promise<string> | undefined;

describeCatalog({
  name: "MariaDB",
  missing: mariaDbMissing(),
  emptyUrl,
  sharedUrl: () => (shared ??= makeShared()),
  query: async (url, sql) => (await sharedMariaDb()).query(sql, new URL(url).pathname.slice(1)),
});

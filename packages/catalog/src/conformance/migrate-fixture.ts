import { migrateCatalog } from "../index.ts";

if (import.meta.main) {
  console.log("ready");
  for await (const _line of console) break;
  await migrateCatalog(Bun.argv[2] ?? "");
}

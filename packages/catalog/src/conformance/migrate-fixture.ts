import { migrateCatalog } from "../index.ts";

async function migrate(url: string): Promise<string> {
  try {
    await migrateCatalog(url);
    return "done";
  } catch (error) {
    return String(error);
  }
}

if (import.meta.main) {
  console.log("ready");
  for await (const url of console) console.log(await migrate(url));
}

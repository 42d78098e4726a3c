import { startMariaDb } from "./mariadb.ts";

if (import.meta.main) {
  const server = await startMariaDb();
  console.log(JSON.stringify({ pid: server.pid, folder: server.folder }));
  // Lives until it is killed.
  await new Promise(() => setInterval(() => {}, 60_000));
}

import { join } from "node:path";

/** The measure for downloads: Bun.serve with Bun.file, no more. Arguments: a folder, sizes. */
const [folder = ".", ...sizes] = process.argv.slice(2);
for (const size of sizes) await Bun.write(join(folder, size), new Uint8Array(Number(size)));
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request) => new Response(Bun.file(join(folder, new URL(request.url).pathname))),
});
console.log(`listening on ${server.url.href}`);

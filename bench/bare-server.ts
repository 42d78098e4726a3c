import { tempDir } from "@dsm/testkit";

/** The measure for downloads: Bun.serve with Bun.file and nothing else. Sizes are arguments. */
const dir = await tempDir();
for (const size of process.argv.slice(2)) {
  await Bun.write(`${dir.path}/${size}`, new Uint8Array(Number(size)));
}
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request) => new Response(Bun.file(`${dir.path}${new URL(request.url).pathname}`)),
});
process.on("exit", () => Bun.spawnSync(["rm", "-rf", dir.path]));
process.on("SIGTERM", () => process.exit(0));
console.log(`listening on ${server.url.href}`);

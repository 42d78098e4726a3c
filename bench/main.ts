import { resolve } from "node:path";
import { bytesSource, DsmClient } from "@dsm/client";
import { clusterSecret } from "@dsm/protocol";
import { RpcPool } from "@dsm/rpc";
import { startProcess, tempDir } from "@dsm/testkit";
import { rateOf } from "./load.ts";
import { benchUpload } from "./upload.ts";

/**
 * `bun run bench [locate|upload|download]`: the load comes from this process, the cluster is one
 * `dsm up`. Figures depend on the machine and the minute; compare rows of one run.
 */
interface Bed {
  readonly client: DsmClient;
  readonly trackers: RpcPool;
  readonly http: string;
  /** The same bytes from a bare Bun.serve in a process of its own: what is left of its rate? */
  readonly bare: (path: "small" | "large") => string;
}

const durationMs = 2_000;
const sizes = { small: 5 * 1024, large: 1024 * 1024 } as const;
const names = Object.keys(sizes) as Array<keyof typeof sizes>;
const clientCounts = [1, 8, 32];

const scenarios: Record<string, (bed: Bed) => Promise<void>> = {
  async locate({ client, trackers }) {
    await client.upload({ user: "bench", fileId: "f", source: bytesSource(new Uint8Array(1)) });
    for (const clients of clientCounts) {
      const ask = () => trackers.call("locate", { user: "bench", intent: "read", fileId: "f" });
      show(`locate, ${clients} clients`, await rateOf(ask, { clients, durationMs }));
    }
  },

  upload: benchUpload,

  async download({ client, http, bare }) {
    for (const name of names) {
      const source = bytesSource(new Uint8Array(sizes[name]));
      await client.upload({ user: "bench", fileId: name, source });
      for (const clients of clientCounts) {
        const reference = await rateOf(get(bare(name)), { clients, durationMs });
        const own = await rateOf(get(`${http}/media/bench/${name}`), { clients, durationMs });
        const ratio = (own.perSecond / reference.perSecond).toFixed(2);
        show(`download ${sizes[name]} B, ${clients} clients`, own, `${ratio} of bare Bun.serve`);
      }
    }
  },
};

function get(url: string): () => Promise<Uint8Array> {
  return async () => (await fetch(url)).bytes();
}

function show(what: string, rate: Awaited<ReturnType<typeof rateOf>>, more = ""): void {
  const { perSecond, p50Ms, p99Ms } = rate;
  const figures = `${perSecond.toFixed(0).padStart(7)} per s  p50 ${p50Ms.toFixed(2)} ms  p99 ${p99Ms.toFixed(2)} ms`;
  console.log(`${what.padEnd(32)} ${figures}  ${more}`);
}

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !Object.hasOwn(scenarios, name));
if (unknown.length > 0) {
  console.error(`bench: ${unknown.join(", ")}: choose from ${Object.keys(scenarios).join(", ")}`);
  process.exit(2);
}

await using dir = await tempDir();
await using bareDir = await tempDir();
const dsm = resolve(import.meta.dir, "../bin/dsm");
await using cluster = await startProcess({
  cmd: [dsm, "up", "--data", dir.path, "--http", "127.0.0.1:0", "--json"],
  ready: /"http":"([^"]+)"/,
});
await using bareServer = await startProcess({
  cmd: [
    process.execPath,
    resolve(import.meta.dir, "bare-server.ts"),
    bareDir.path,
    ...Object.values(sizes).map(String),
  ],
  ready: /listening on (\S+)/,
});
const { trackers } = JSON.parse(cluster.stdout()) as { trackers: string[] };
const secret = (await Bun.file(`${dir.path}/secret`).text()).trim();
await using client = new DsmClient({ trackers, secret });
const pool = new RpcPool({ endpoints: trackers, role: "client", secret: clusterSecret(secret) });
const bare = (path: "small" | "large") => `${bareServer.readyMatch?.[1]}${sizes[path]}`;
const http = cluster.readyMatch?.[1] ?? "";
for (const name of chosen.length > 0 ? chosen : Object.keys(scenarios)) {
  await scenarios[name]?.({ client, trackers: pool, http, bare });
}
pool.close();

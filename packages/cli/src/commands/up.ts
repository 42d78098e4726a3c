import { resolve } from "node:path";
import { startCluster } from "@dsm/cluster";
import { logLevelOf } from "@dsm/config";
import { createLog } from "@dsm/log";
import { showLinkKey } from "@dsm/protocol";
import { defaultDataDir } from "../find-cluster.ts";
import { upStorageConfig } from "../role/role-args.ts";
import { untilAborted } from "../signals.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { removeClusterFile, writeClusterFile } from "../cluster-file.ts";
import { lockDataDir } from "../up/data-lock.ts";
import { demoLines, uploadDemo } from "../up/demo.ts";
import { clusterOptions, upArgs } from "../up/up-args.ts";
import { keptLinkKeys, keptSecret } from "../up/kept-secret.ts";

export const up = command({
  args: upArgs,
  server: true,
  async run({ args, json, signal }) {
    const dataDir = resolve(args.data ?? defaultDataDir);
    const options = { ...clusterOptions(args), ...(await upStorageConfig(args)) };
    const log = createLog(logLevelOf(process.env, "warn"));
    await using stack = new AsyncDisposableStack();
    stack.use(await lockDataDir(dataDir));
    const linkKeys = await keptLinkKeys(dataDir);
    const started = await startCluster({
      ...options,
      dataDir,
      secret: await keptSecret(dataDir),
      linkKeys,
      log,
    });
    const cluster = stack.use(started);
    const { http, secret, trackerEndpoints: trackers } = cluster;
    const storages = cluster.storages.map((it) => it.running.dataUrl);
    await writeClusterFile(dataDir, {
      trackers,
      secret,
      http,
      storages,
      publicUrls: cluster.storages.map((it) => it.running.publicUrl),
      pid: process.pid,
      linkKeys: linkKeys.map(showLinkKey),
    });
    try {
      const linking = args.reads === "signed" ? linkKeys : undefined;
      const demo =
        args.demo === true ? await uploadDemo(cluster.client(), http, linking, signal) : undefined;
      const ready = { ready: true, http, trackers, storages, pid: process.pid };
      await sayResult(json, demo === undefined ? ready : { ...ready, demo }, [
        `dsm is up at ${http}`,
        `  trackers  ${trackers.join(" ")}`,
        `  storages  ${storages.join(" ")}`,
        `  data      ${dataDir}`,
        ...(demo === undefined ? [] : demoLines(demo)),
        "Ctrl-C stops it.",
      ]);
      await untilAborted(signal);
    } catch (error) {
      // Stopped while the sample was on its way: that is an order, and no failure.
      if (!signal.aborted) throw error;
    } finally {
      await removeClusterFile(dataDir);
    }
    return 0;
  },
});

import { openCatalog } from "@dsm/catalog";
import { createLog } from "@dsm/log";
import { clusterSecret } from "@dsm/protocol";
import { startStorage } from "@dsm/storage";
import { roleArgs, roleConfig } from "../role/role-args.ts";
import { superviseWorkers, workerNumber } from "../role/workers.ts";
import { serve } from "../role/serve.ts";
import { command } from "../strict.ts";

export const storage = command({
  args: roleArgs("storage"),
  server: true,
  async run({ args, json, signal }) {
    const { listen, secret, catalog, logLevel, workers, ...options } = await roleConfig(
      "storage",
      args,
    );
    const worker = workerNumber();
    if (workers > 1 && worker === undefined) {
      const { tlsCert, publicListen } = options;
      const scheme = tlsCert === undefined || publicListen !== undefined ? "http" : "https";
      const role = { role: "storage", listen, workers, scheme } as const;
      return await superviseWorkers(role, { json, signal });
    }
    await using opened = await openCatalog(catalog);
    const server = await startStorage({
      ...options,
      ...listen,
      // Only the first worker joins and beats: to trackers, all of them are one storage.
      trackers: worker === undefined || worker === 0 ? options.trackers : [],
      reusePort: worker !== undefined,
      secret: clusterSecret(secret),
      catalog: opened,
      log: createLog(logLevel),
    });
    return await serve(server, { role: "storage", endpoint: server.dataUrl }, { json, signal });
  },
});

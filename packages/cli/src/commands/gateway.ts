import { startGateway } from "@dsm/gateway";
import { createLog } from "@dsm/log";
import { roleArgs, roleConfig } from "../role/role-args.ts";
import { serve } from "../role/serve.ts";
import { superviseWorkers, workerNumber } from "../role/workers.ts";
import { command } from "../strict.ts";

export const gateway = command({
  args: roleArgs("gateway"),
  server: true,
  async run({ args, json, signal }) {
    const { http, mounts, logLevel, workers, ...options } = await roleConfig("gateway", args);
    const worker = workerNumber();
    if (workers > 1 && worker === undefined) {
      const scheme = options.tlsCert === undefined ? "http" : "https";
      const role = { role: "gateway", listen: http, workers, scheme } as const;
      return await superviseWorkers(role, { json, signal });
    }
    const server = await startGateway({
      ...options,
      hostname: http.hostname,
      port: http.port,
      mounts: new Map(mounts.map(({ group, folder }) => [group, folder])),
      reusePort: worker !== undefined,
      log: createLog(logLevel),
    });
    return await serve(server, { role: "gateway", endpoint: server.url }, { json, signal });
  },
});

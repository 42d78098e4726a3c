import { openCatalog } from "@dsm/catalog";
import { createLog } from "@dsm/log";
import { clusterSecret } from "@dsm/protocol";
import { startTracker } from "@dsm/tracker";
import { roleArgs, roleConfig } from "../role/role-args.ts";
import { serve } from "../role/serve.ts";
import { command } from "../strict.ts";

export const tracker = command({
  args: roleArgs("tracker"),
  server: true,
  async run({ args, json, signal }) {
    const { listen, secret, catalog, logLevel, ...options } = await roleConfig("tracker", args);
    await using opened = await openCatalog(catalog);
    const server = startTracker({
      ...options,
      ...listen,
      secret: clusterSecret(secret),
      catalog: opened,
      log: createLog(logLevel),
    });
    return await serve(server, { role: "tracker", endpoint: server.endpoint }, { json, signal });
  },
});

import { openCatalog } from "@dsm/catalog";
import { startIdServer } from "@dsm/ids";
import { createLog } from "@dsm/log";
import { clusterSecret } from "@dsm/protocol";
import { roleArgs, roleConfig } from "../role/role-args.ts";
import { serve } from "../role/serve.ts";
import { command } from "../strict.ts";

export const id = command({
  args: roleArgs("id"),
  server: true,
  async run({ args, json, signal }) {
    const { listen, secret, catalog, logLevel, segmentIds } = await roleConfig("id", args);
    await using opened = await openCatalog(catalog);
    const server = startIdServer({
      ...listen,
      secret: clusterSecret(secret),
      catalog: opened,
      segmentIds,
      log: createLog(logLevel),
    });
    return await serve(server, { role: "id", endpoint: server.endpoint }, { json, signal });
  },
});

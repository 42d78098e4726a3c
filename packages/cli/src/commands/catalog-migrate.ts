import { migrateCatalog } from "@dsm/catalog";
import { loadConfig } from "@dsm/config";
import { DsmError } from "@dsm/protocol";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";

export const catalogMigrate = command({
  args: {
    catalog: {
      type: "string",
      valueHint: "URL",
      description: "The catalog. (Default: DSM_CATALOG, the config file)",
    },
    config: { type: "string", valueHint: "PATH", description: "TOML file. (Default: DSM_CONFIG)" },
  },
  async run({ args, json }) {
    const { catalog } = await loadConfig("client", {
      flags: { catalog: args.catalog },
      env: process.env,
      configPath: args.config,
    });
    if (catalog === undefined) {
      throw new DsmError("USAGE", "no catalog is named", {
        remedy: "name it with --catalog, DSM_CATALOG or catalog in the --config file",
      });
    }
    await migrateCatalog(catalog);
    await sayResult(json, { migrated: true }, ["the catalog is at this version"]);
    return 0;
  },
});

import { access } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "@dsm/config";
import { DsmError } from "@dsm/protocol";
import { defaultDataDir } from "../find-cluster.ts";
import type { ArgsDef } from "../strict.ts";

/** The flags of commands that open the catalog themselves. */
export const catalogArgs = {
  catalog: {
    type: "string",
    valueHint: "URL",
    description: "The catalog. (Default: DSM_CATALOG, the config file, that of ./.dsm)",
  },
  config: { type: "string", valueHint: "PATH", description: "TOML file. (Default: DSM_CONFIG)" },
} as const satisfies ArgsDef;

interface CatalogArgs {
  readonly catalog?: string | undefined;
  readonly config?: string | undefined;
}

/** What a flag, a variable or the config file names. @throws DsmError BAD_CONFIG */
export async function namedCatalog(args: CatalogArgs): Promise<string | undefined> {
  const { catalog } = await loadConfig("client", {
    flags: { catalog: args.catalog },
    env: process.env,
    configPath: args.config,
  });
  return catalog;
}

/** Or else the one that `dsm up` made in this folder. @throws DsmError USAGE when there is none */
export async function existingCatalog(args: CatalogArgs): Promise<string> {
  const named = await namedCatalog(args);
  if (named !== undefined) return named;
  const path = join(defaultDataDir, "catalog.db");
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere) return `sqlite:${path}`;
  throw noCatalog();
}

export function noCatalog(): DsmError {
  return new DsmError("USAGE", "no catalog is named", {
    remedy: "name it with --catalog, DSM_CATALOG or catalog in the --config file",
  });
}

import { DsmError } from "@dsm/protocol";
import { readServerSettings } from "./mysql/server-settings.ts";
import { openTarget } from "./open.ts";
import { type CatalogTarget, eachServer, parseCatalogUrl } from "./target.ts";

/** A server of the catalog, as an operator wants to know it. */
export interface CatalogServer {
  /** Never with the password. */
  readonly shown: string;
  /** Why it cannot be used. */
  readonly fault?: DsmError;
  /** Global variables and status of a MySQL-protocol server by their names; SQLite has none. */
  readonly settings?: ReadonlyMap<string, string>;
}

/**
 * Looks at each server that the URL names. What is wrong with one is its fault, and no error.
 * @throws DsmError BAD_CONFIG for a URL that cannot be read
 */
export async function examineCatalog(url: string): Promise<CatalogServer[]> {
  const target = parseCatalogUrl(url);
  const each = target.dialect === "sqlite" ? [target] : eachServer(target);
  return Promise.all(each.map(examine));
}

async function examine(target: CatalogTarget): Promise<CatalogServer> {
  const { shown } = target;
  try {
    const catalog = await openTarget(target);
    await catalog.close();
    if (target.dialect === "sqlite") return { shown };
    return { shown, settings: await readServerSettings(target) };
  } catch (thrown) {
    return { shown, fault: DsmError.from(thrown, `opening ${shown}`) };
  }
}

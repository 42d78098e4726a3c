import { Database } from "bun:sqlite";
import { join } from "node:path";
import { type MariaDb, startMariaDb } from "@dsm/testkit";
import { Relay } from "./relay.ts";

export const settings = ["sqlite", "mariadb"] as const;
export type Setting = (typeof settings)[number];

/** The database under the catalog, which can be made to fail. */
export interface CatalogServer extends AsyncDisposable {
  readonly url: string;
  /** Each makes it fail until the returned function is called. */
  readonly outages: Readonly<Record<string, () => Promise<() => Promise<void>>>>;
}

export function startCatalog(setting: Setting, dataDir: string): Promise<CatalogServer> {
  return setting === "sqlite" ? Promise.resolve(sqliteFile(dataDir)) : mariaDbServer();
}

/** A file cannot be stopped, but whoever writes to it for long keeps all others from it. */
function sqliteFile(dataDir: string): CatalogServer {
  const path = join(dataDir, "catalog.db");
  return {
    url: `sqlite:${path}`,
    outages: {
      "catalog locked": async () => {
        const database = new Database(path);
        database.run("PRAGMA busy_timeout = 500");
        try {
          database.run("BEGIN IMMEDIATE");
        } catch {
          // Another one writes right now: then nobody is kept out this time.
        }
        return async () => database.close();
      },
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

async function mariaDbServer(): Promise<CatalogServer> {
  await using cleanup = new AsyncDisposableStack();
  const server = cleanup.use(await startMariaDb());
  const relay = cleanup.use(await Relay.start());
  relay.targetPort = server.port;
  const url = new URL(await server.createDatabase());
  url.host = relay.endpoint;
  const stack = cleanup.move();
  return {
    url: url.href,
    outages: {
      "catalog stopped": () => stopped(server),
      "catalog killed": async () => {
        await server.kill();
        return () => server.start();
      },
      // What was committed is in force then, and whoever asked for it cannot know.
      "catalog answers lost": async () => {
        relay.weather = { loseAnswersTo: /commit/i };
        return async () => {
          relay.cutAll();
          relay.clear();
        };
      },
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** It takes connections and statements and answers nothing. */
async function stopped({ pid }: MariaDb): Promise<() => Promise<void>> {
  if (pid === undefined) return async () => {};
  process.kill(pid, "SIGSTOP");
  return async () => void process.kill(pid, "SIGCONT");
}

import { resolve } from "node:path";
import { DsmError } from "@dsm/protocol";

export interface SqliteTarget {
  readonly dialect: "sqlite";
  readonly path: string;
  /** The catalog as errors name it: never with the password. */
  readonly shown: string;
}

export interface MySqlTarget {
  readonly dialect: "mysql";
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly shown: string;
}

export type CatalogTarget = SqliteTarget | MySqlTarget;

const mysqlDefaultPort = 3306;
const remedy = "write sqlite:/path/to/catalog.db or mysql://user:password@host:3306/database";

/**
 * Reads a catalog URL: `sqlite:PATH` (taken as it stands, no percent-encoding) or
 * `mysql://USER:PASSWORD@HOST:PORT/DATABASE` (percent-encoded; `mariadb://` is the same).
 *
 * @throws DsmError BAD_CONFIG, whose message holds nothing of the URL but its scheme
 */
export function parseCatalogUrl(url: string): CatalogTarget {
  const scheme = /^([a-z]+):/.exec(url)?.[1];
  if (scheme === "sqlite") return sqliteTarget(url.slice("sqlite:".length));
  if (scheme === "mysql" || scheme === "mariadb") return mysqlTarget(url, scheme);
  throw bad(
    scheme === undefined
      ? "the catalog URL has no scheme"
      : `the catalog URL begins with "${scheme}:", which is no catalog`,
  );
}

function sqliteTarget(rest: string): SqliteTarget {
  const path = rest.startsWith("//") ? rest.slice(2) : rest;
  if (path === "") throw bad("the catalog URL sqlite: names no file");
  if (path === ":memory:") throw bad("the catalog URL sqlite: needs a file, not :memory:");
  if (path.includes("\0")) throw bad("the path of the catalog URL sqlite: holds a NUL");
  const absolute = resolve(path);
  return { dialect: "sqlite", path: absolute, shown: `sqlite:${absolute}` };
}

function mysqlTarget(url: string, scheme: string): MySqlTarget {
  // The WHATWG parser is strict about the host of special schemes only, so borrow one of these.
  const parsed = URL.parse(`http:${url.slice(scheme.length + 1)}`);
  if (parsed === null) throw bad(`the catalog URL ${scheme}: cannot be read`);
  if (parsed.search !== "" || parsed.hash !== "") {
    throw bad(
      `the catalog URL ${scheme}: has a "?" or "#", which must be %3F or %23 in a password`,
    );
  }
  const user = decode(parsed.username, scheme);
  const database = decode(parsed.pathname.slice(1), scheme);
  if (user === "") throw bad(`the catalog URL ${scheme}: names no user`);
  if (database === "" || database.includes("/")) {
    throw bad(`the catalog URL ${scheme}: names no database`);
  }
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  const port = portOf(url, parsed);
  return {
    dialect: "mysql",
    host,
    port,
    user,
    password: decode(parsed.password, scheme),
    database,
    shown: `mysql://${user}@${parsed.hostname}:${port}/${database}`,
  };
}

/** `http:` hides its own default port 80, so an explicit one is read from the text. */
function portOf(url: string, parsed: URL): number {
  if (parsed.port !== "") return Number(parsed.port);
  return /:0*80(\/|$)/.test(url.slice(url.lastIndexOf("@"))) ? 80 : mysqlDefaultPort;
}

function decode(text: string, scheme: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw bad(`the catalog URL ${scheme}: has a "%" that begins no percent-encoding`);
  }
}

function bad(message: string): DsmError {
  return new DsmError("BAD_CONFIG", message, { remedy });
}

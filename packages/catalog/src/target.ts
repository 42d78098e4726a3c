import { resolve } from "node:path";
import { DsmError, limits } from "@dsm/protocol";

export interface SqliteTarget {
  readonly dialect: "sqlite";
  readonly path: string;
  /** The catalog as errors name it: never with the password. */
  readonly shown: string;
}

/** Where one server listens. */
export interface MySqlServer {
  readonly host: string;
  readonly port: number;
}

export interface MySqlTarget {
  readonly dialect: "mysql";
  /** At least one; the nodes of a Galera cluster, the one that everybody uses first in front. */
  readonly servers: readonly [MySqlServer, ...MySqlServer[]];
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly shown: string;
}

export type CatalogTarget = SqliteTarget | MySqlTarget;

const mysqlDefaultPort = 3306;
const remedy =
  "write sqlite:/path/to/catalog.db or mysql://user:password@host:3306/database, " +
  "with commas between the addresses where there are several";

/**
 * Reads a catalog URL: `sqlite:PATH` (taken as it stands, no percent-encoding) or
 * `mysql://USER:PASSWORD@HOST:PORT/DATABASE` (percent-encoded; `mariadb://` is the same). Where
 * several servers keep one database, as Galera does: `HOST:PORT,HOST:PORT,…`, at most
 * limits.catalogServersMax; IPv6 addresses stand in brackets.
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
  const [first, ...others] = urlPerServer(url, scheme).map((one) => readOne(one, scheme));
  if (first === undefined) throw bad(`the catalog URL ${scheme}: names no server`);
  const { address: _address, server, ...common } = first;
  const { user, database } = common;
  const addresses = [first, ...others].map(({ address }) => address);
  for (const [i, address] of addresses.entries()) {
    if (addresses.indexOf(address) === i) continue;
    throw bad(`the catalog URL ${scheme}: names the server ${address} twice`);
  }
  return {
    dialect: "mysql",
    servers: [server, ...others.map((other) => other.server)],
    ...common,
    shown: `mysql://${user}@${addresses.join(",")}/${database}`,
  };
}

/** The URL again for each of its addresses, with that one alone. */
function urlPerServer(url: string, scheme: string): string[] {
  const rest = url.slice(scheme.length + 1);
  const [, account = "", hosts = "", behind = ""] =
    /^(\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/s.exec(rest) ?? [];
  const servers = hosts.split(",");
  if (servers.length > limits.catalogServersMax) {
    throw bad(`the catalog URL ${scheme}: names more than ${limits.catalogServersMax} servers`);
  }
  return servers.map((host) => `${account}${host}${behind}`);
}

/** @param url what stands behind the scheme, with one address */
function readOne(url: string, scheme: string) {
  // The WHATWG parser is strict about the host of special schemes only, so borrow one of these.
  const parsed = URL.parse(`http:${url}`);
  if (parsed === null || !url.startsWith("//")) {
    throw bad(`the catalog URL ${scheme}: cannot be read`);
  }
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
  const port = portOf(url, parsed);
  return {
    server: { host: parsed.hostname.replace(/^\[|\]$/g, ""), port },
    address: `${parsed.hostname}:${port}`,
    user,
    password: decode(parsed.password, scheme),
    database,
  };
}

/** `http:` hides its own default port 80, so an explicit one is read from the text. */
function portOf(url: string, parsed: URL): number {
  if (parsed.port !== "") return Number(parsed.port);
  return /:0*80(\/|$)/.test(url.slice(url.lastIndexOf("@"))) ? 80 : mysqlDefaultPort;
}

/** The target again for each of its servers, with that one alone. */
export function eachServer(target: MySqlTarget): MySqlTarget[] {
  const { user, database } = target;
  return target.servers.map((server) => {
    const shown = `mysql://${user}@${addressOf(server)}/${database}`;
    return { ...target, servers: [server], shown };
  });
}

/** As errors name a server. */
export function addressOf({ host, port }: MySqlServer): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
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

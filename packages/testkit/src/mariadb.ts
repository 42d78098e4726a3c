import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mysql from "mysql2/promise";
import {
  asRoot,
  layMariaDb,
  type MariaDbFiles,
  type MariaDbOptions,
  mariaDbPassword,
  mariaDbUser,
} from "./mariadb-files.ts";
import { until } from "./until.ts";

export function program(name: string): string | null {
  // Debian keeps daemons where the PATH of a plain user does not look.
  return Bun.which(name, { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin` });
}

/** Why no MariaDB can be started here; undefined when one can. For `describe.skipIf`. */
export function mariaDbMissing(): string | undefined {
  for (const name of ["mariadbd", "mariadb-install-db", "setpriv"]) {
    if (program(name) === null) return `${name} is not installed (apt install mariadb-server)`;
  }
  return undefined;
}

const startTriesMax = 3;

/** A private MariaDB server on a port of 127.0.0.1 of its own, for tests. */
export class MariaDb implements AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  readonly #files: MariaDbFiles;
  readonly #janitor: Bun.Subprocess;
  #server: Bun.Subprocess | undefined;
  #databases = 0;

  constructor(folder: string, files: MariaDbFiles, port: number, janitor: Bun.Subprocess) {
    this.folder = folder;
    this.#files = files;
    this.port = port;
    this.#janitor = janitor;
  }

  /** The process id of the server; undefined while it is stopped. */
  get pid(): number | undefined {
    return this.#server?.pid;
  }

  /** Makes a fresh, empty database. @returns its URL, for `openCatalog` */
  async createDatabase(): Promise<string> {
    const database = `dsm_test_${++this.#databases}`;
    await this.query(`CREATE DATABASE ${database}`);
    return this.url(database);
  }

  url(database: string): string {
    const password = encodeURIComponent(mariaDbPassword);
    return `mysql://${mariaDbUser}:${password}@127.0.0.1:${this.port}/${database}`;
  }

  /** One statement on a connection of its own, past everything that is being tested. */
  async query(sql: string, database?: string): Promise<Record<string, unknown>[]> {
    const connection = await mysql.createConnection({
      host: "127.0.0.1",
      port: this.port,
      user: mariaDbUser,
      password: mariaDbPassword,
      ...(database === undefined ? {} : { database }),
    });
    try {
      const [rows] = await connection.query(sql);
      return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
    } finally {
      await connection.end();
    }
  }

  /** Starts the server, again on the same port and data; resolves when it answers. */
  async start(): Promise<void> {
    const { config, data, socket, accounts, log } = this.#files;
    const server = Bun.spawn(
      [
        // The kernel ends the server when this process ends, in whatever way that happens.
        "setpriv",
        "--pdeathsig",
        "KILL",
        program("mariadbd") ?? "mariadbd",
        `--defaults-file=${config}`,
        `--datadir=${data}`,
        `--socket=${socket}`,
        `--port=${this.port}`,
        `--init-file=${accounts}`,
        ...asRoot(),
      ],
      { stdin: "ignore", stdout: Bun.file(log), stderr: Bun.file(log) },
    );
    this.#server = server;
    await until("MariaDB answers", async () => {
      if (server.exitCode !== null)
        throw new Error(`mariadbd ended: ${await Bun.file(log).text()}`);
      return this.query("SELECT 1").then(
        () => true,
        () => false,
      );
    });
  }

  /** Shuts the server down in order. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** Ends the server as a crash does. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    server.kill(signal);
    await server.exited;
    this.#server = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
    this.#janitor.kill("SIGKILL");
  }
}

/** A server of the caller's own, for tests that stop it. Takes about two seconds. */
export async function startMariaDb(options: MariaDbOptions = {}): Promise<MariaDb> {
  const missing = mariaDbMissing();
  if (missing !== undefined) throw new Error(missing);
  const folder = await mkdtemp(join(tmpdir(), "dsm-mariadb-"));
  const janitor = startJanitor(folder);
  try {
    const files = await layMariaDb(folder, program("mariadb-install-db") ?? "", options);
    for (let tries = 1; ; tries++) {
      const server = new MariaDb(folder, files, freePort(), janitor);
      try {
        await server.start();
        return server;
      } catch (error) {
        // Somebody else may have taken the port meanwhile.
        await server.kill();
        if (tries === startTriesMax) throw error;
      }
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Removes the folder once this process is gone, in whatever way: its end of the pipe closes then.
 * `bun test` runs no exit handlers, and a crash runs none anywhere.
 */
export function startJanitor(folder: string): Bun.Subprocess {
  const script = 'trap "" INT TERM HUP; cat >/dev/null; rm -rf -- "$0"; rm -rf -- "$0"';
  const janitor = Bun.spawn(["sh", "-c", script, folder], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  janitor.unref();
  return janitor;
}

/** mariadbd takes no port 0, so ask the system for one and give it back. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

let shared: Promise<MariaDb> | undefined;

/**
 * One server for all tests of this process, started by the first that asks and ended with the
 * process. Take a database of your own from it, and never stop it.
 */
export function sharedMariaDb(): Promise<MariaDb> {
  shared ??= startMariaDb();
  return shared;
}

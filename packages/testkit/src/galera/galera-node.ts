import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import mysql from "mysql2/promise";
import type { Host } from "../hosts/host.ts";
import { mariaDbPassword, mariaDbUser } from "../mariadb-files.ts";
import { program } from "../mariadb.ts";
import { startProcess, type TestProcess } from "../process.ts";
import { until } from "../until.ts";
import { allowBootstrap, filesOf, type NodeTerms } from "./galera-files.ts";

/** A cluster that was powered off takes its time, on a machine that is busy. */
const readyTimeoutMs = 40_000;

interface RunningTerms extends NodeTerms {
  /** Where it runs; on this machine itself when there is none. */
  readonly host: Host | undefined;
  /** What stands before a command, so that it is run under MariaDB's account. */
  readonly asMySql: readonly string[];
}

/** One MariaDB server of a Galera cluster. */
export class GaleraNode {
  readonly name: string;
  readonly #terms: RunningTerms;
  #process: TestProcess | undefined;
  #pid: number | undefined;

  constructor(terms: RunningTerms) {
    this.name = terms.name;
    this.#terms = terms;
  }

  /** `host:port`, for a catalog URL. */
  get endpoint(): string {
    return `${this.#terms.address}:${this.#terms.ports.sql}`;
  }

  get port(): number {
    return this.#terms.ports.sql;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning() ?? false;
  }

  /** Starts the server; does not wait until it takes part. */
  async start({ bootstrap = false }: { bootstrap?: boolean } = {}): Promise<void> {
    const position = await this.position();
    if (bootstrap) await allowBootstrap(this.#terms.folder);
    await this.run([
      ...(bootstrap ? ["--wsrep-new-cluster"] : []),
      // After a crash its own note of where it was is gone; InnoDB has kept it.
      ...(position === undefined ? [] : [`--wsrep-start-position=${position}`]),
    ]);
  }

  /** Starts the server with these arguments. */
  async run(args: readonly string[]): Promise<void> {
    const { asMySql, host } = this.#terms;
    const cmd = [...asMySql, ...this.#command, ...args];
    if (host === undefined) {
      this.#process = await startProcess({ cmd });
      this.#pid = this.#process.pid;
    } else {
      const started = await host.start({ cmd });
      this.#process = started;
      this.#pid = started.hostPid;
    }
  }

  /** Resolves when it has all that the others have and takes statements. */
  async ready(): Promise<void> {
    await until(`${this.name} takes part`, () => this.takesPart(), readyTimeoutMs);
  }

  /** @param nodes that it has to see, itself among them; however many unless given */
  async takesPart(nodes?: number): Promise<boolean> {
    if (!this.isRunning) throw new Error(`${this.name} has ended: ${this.log().slice(-4_000)}`);
    const rows = await this.query("SHOW GLOBAL STATUS LIKE 'wsrep_%'").catch(() => []);
    const status = new Map(rows.map((row) => [row["Variable_name"], row["Value"]]));
    const isAllThere = nodes === undefined || status.get("wsrep_cluster_size") === String(nodes);
    const isSynced = status.get("wsrep_local_state") === "4";
    return isAllThere && isSynced && status.get("wsrep_ready") === "ON";
  }

  /** The last change that its disk has, as `uuid:number`; undefined before the first. */
  async position(): Promise<string | undefined> {
    const { asMySql, host } = this.#terms;
    const cmd = [...asMySql, ...this.#command, "--wsrep-recover"];
    const tool = await (host === undefined ? startProcess({ cmd }) : host.start({ cmd }));
    await tool.exited;
    await tool.stop();
    const text = tool.stderr();
    return [...text.matchAll(/Recovered position: (\S+:\d+)/g)].at(-1)?.[1];
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** As a crash ends it. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** A new disk in the place of a lost one: the other nodes fill it. */
  async eraseDisk(): Promise<void> {
    if (this.isRunning) throw new Error(`${this.name} uses its disk`);
    const { data } = filesOf(this.#terms.folder);
    for (const name of await readdir(data)) {
      await rm(join(data, name), { recursive: true });
    }
  }

  /** SIGSTOP lets it hang, SIGCONT go on. */
  signal(name: NodeJS.Signals): void {
    if (this.#pid !== undefined) process.kill(this.#pid, name);
  }

  /** What it has said. */
  log(): string {
    return this.#process?.stderr() ?? "";
  }

  /** One statement on a connection of its own, through its socket: no network is in the way. */
  async query(sql: string, database?: string): Promise<Record<string, unknown>[]> {
    const connection = await mysql.createConnection({
      socketPath: filesOf(this.#terms.folder).socket,
      user: mariaDbUser,
      password: mariaDbPassword,
      ...(database === undefined ? {} : { database }),
    });
    // Where the server is killed meanwhile the statement fails, and that is told once.
    connection.on("error", () => {});
    try {
      const [rows] = await connection.query(sql);
      return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
    } finally {
      connection.destroy();
    }
  }

  get #command(): string[] {
    return [
      program("mariadbd") ?? "mariadbd",
      `--defaults-file=${filesOf(this.#terms.folder).config}`,
    ];
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const ending = this.#process;
    // Its host may be off.
    if (ending?.isRunning() === true) {
      this.signal(signal);
      await ending.exited;
    }
    this.#process = undefined;
  }
}

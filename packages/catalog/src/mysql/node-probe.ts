import { limits } from "@dsm/protocol";
import mysql, { type Connection, type RowDataPacket } from "mysql2/promise";
import { driverError, type Fault } from "../fault.ts";
import { addressOf, type MySqlServer, type MySqlTarget } from "../target.ts";
import { connectionOptions, waitForGalera } from "./mysql-connections.ts";
import { explainLockFree, lockedFault, NoServerError, silentFault } from "./mysql-fault.ts";

/**
 * How a server is: `well`; `behind`, of use where no other is well, as a Galera node that fills
 * another one or catches up; `unfit`, and why.
 */
export type NodeHealth =
  { readonly state: "well" | "behind" } | { readonly state: "unfit"; readonly fault: Fault };

const lateReadMs = 20;

/** What wsrep_local_state is of a node that takes part. */
const galeraSynced = "4";

/** Asks one server how it is, on a connection of its own that is kept while it is well. */
export class NodeProbe {
  readonly #options: mysql.ConnectionOptions;
  #connection: Connection | undefined;

  constructor(target: MySqlTarget, server: MySqlServer) {
    const connectTimeout = limits.catalogProbeTimeoutMs;
    this.#options = { ...connectionOptions(target, server), connectTimeout };
  }

  /** Takes little more than limits.catalogProbeTimeoutMs. To be called once at a time. */
  async ask(): Promise<NodeHealth> {
    const silent = Promise.withResolvers<never>();
    let timer = setTimeout(() => {
      // Where it was this process that had no time, the answer lies there and is read now.
      timer = setTimeout(() => silent.reject(silence), lateReadMs);
    }, limits.catalogProbeTimeoutMs);
    const connecting = this.#connection ?? this.#connect();
    try {
      return await Promise.race([this.#look(connecting), silent.promise]);
    } catch (error) {
      // It may still come, and nobody waits for it then.
      void Promise.resolve(connecting).then(
        (connection) => connection.destroy(),
        () => undefined,
      );
      this.#connection = undefined;
      return { state: "unfit", fault: faultOf(error) };
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  async #look(connecting: Connection | Promise<Connection>): Promise<NodeHealth> {
    const connection = await connecting;
    // A Galera node without quorum refuses every SELECT; one that is cut off from the others and
    // does not know it yet gives no answer, for this session waits for them.
    const [rows] = await connection.query<RowDataPacket[]>("SELECT @@global.read_only AS locked");
    if (Number(rows[0]?.["locked"]) !== 0) throw lock;
    const [states] = await connection.query<RowDataPacket[]>(
      "SHOW GLOBAL STATUS LIKE 'wsrep_local_state'",
    );
    this.#connection = connection;
    const state = String(states[0]?.["Value"] ?? galeraSynced);
    return { state: state === galeraSynced ? "well" : "behind" };
  }

  async #connect(): Promise<Connection> {
    const connection = await mysql.createConnection(this.#options);
    // What happens to it between two questions is told by the next one.
    connection.on("error", () => {});
    await waitForGalera(connection);
    return connection;
  }
}

/**
 * For what needs one connection for a while: the first server that is well, or at least of use.
 * @throws NoServerError
 */
export async function firstUsable(target: MySqlTarget): Promise<MySqlServer> {
  const [only, ...others] = target.servers;
  if (others.length === 0) return only;
  const reasons: Array<{ address: string; fault: Fault }> = [];
  let behind: MySqlServer | undefined;
  for (const server of target.servers) {
    const probe = new NodeProbe(target, server);
    const health = await probe.ask();
    probe.close();
    if (health.state === "well") return server;
    if (health.state === "unfit") reasons.push({ address: addressOf(server), fault: health.fault });
    else behind ??= server;
  }
  if (behind !== undefined) return behind;
  throw new NoServerError(reasons);
}

const silence = new Error("silent");
const lock = new Error("read-only");

function faultOf(error: unknown): Fault {
  if (error === silence) return silentFault;
  if (error === lock) return lockedFault;
  const cause = driverError(error);
  return explainLockFree(cause) ?? { code: "CATALOG_UNAVAILABLE", why: cause.message };
}

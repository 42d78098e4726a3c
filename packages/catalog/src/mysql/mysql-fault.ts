import { systemErrorCode } from "@dsm/protocol";
import { type Fault, notMigrated } from "../fault.ts";

const code = "CATALOG_UNAVAILABLE";
const startRemedy = "start the database server, or check host and port in the catalog URL";
const againRemedy = "try again in a moment";

/** Another server of the catalog may do it. */
const elsewhere = true;

const lost: Fault = {
  code,
  why: "the connection was lost",
  remedy: againRemedy,
  again: "stale connection",
};
const deadlock: Fault = { code, why: "deadlock", remedy: againRemedy, again: "deadlock" };
const full: Fault = {
  code,
  why: "the server allows no more connections",
  remedy: againRemedy,
  elsewhere,
};
const stopping: Fault = {
  code,
  why: "the server is shutting down",
  remedy: againRemedy,
  elsewhere,
};
export const lockedFault: Fault = {
  code,
  why: "the server is read-only",
  remedy: "name the primary server in the catalog URL",
  elsewhere,
};
export const silentFault: Fault = {
  code,
  why: "the server does not answer",
  remedy: startRemedy,
  elsewhere,
};
const partedFault: Fault = {
  code,
  why: "the node sees no majority of its cluster",
  remedy: "start the other nodes; where they are lost see Galera in docs/OPERATIONS.md",
  elsewhere,
};
const unreachable: Fault = { code, why: "no route to the server", remedy: startRemedy, elsewhere };
const unknownHost: Fault = {
  code,
  why: "the host name is unknown",
  remedy: startRemedy,
  elsewhere,
};
const brokenOff: Fault = { code, why: "the server broke the statement off", remedy: againRemedy };
const diskFull: Fault = {
  code,
  why: "the server's disk is full",
  remedy: "make room on its disk",
  elsewhere,
};
const denied: Fault = {
  code: "BAD_CONFIG",
  why: "the server refuses this user or password",
  remedy: "check user, password and grants of the catalog URL",
};

/** By the `code` that mysql2 and the system give. */
const faults: Record<string, Fault> = {
  ECONNREFUSED: { code, why: "nothing listens there", remedy: startRemedy, elsewhere },
  ENOTFOUND: unknownHost,
  EAI_AGAIN: {
    code,
    why: "the host name cannot be looked up now",
    remedy: againRemedy,
    elsewhere,
  },
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ETIMEDOUT: silentFault,
  PROTOCOL_SEQUENCE_TIMEOUT: { code, why: "no answer in time", remedy: againRemedy },
  ECONNRESET: lost,
  EPIPE: lost,
  PROTOCOL_CONNECTION_LOST: lost,
  ER_CONNECTION_KILLED: lost,
  ER_CLIENT_INTERACTION_TIMEOUT: lost,
  ER_CON_COUNT_ERROR: full,
  ER_TOO_MANY_USER_CONNECTIONS: full,
  ER_USER_LIMIT_REACHED: full,
  // Galera says this of a transaction, also at its COMMIT, that came behind one of another node.
  ER_LOCK_DEADLOCK: deadlock,
  ER_LOCK_WAIT_TIMEOUT: {
    code,
    // The same number for two things: sessions wait for the other nodes (wsrep_sync_wait).
    why: "others kept the rows locked, or it is a Galera node that has lost the others",
    remedy: againRemedy,
    again: "once",
    elsewhere,
  },
  ER_SERVER_SHUTDOWN: stopping,
  ER_NORMAL_SHUTDOWN: stopping,
  ER_QUERY_INTERRUPTED: { ...brokenOff, again: "once" },
  // Galera: "WSREP has not yet prepared node for application use".
  ER_UNKNOWN_COM_ERROR: partedFault,
  // Galera: the node lost the others while the COMMIT was on its way to them.
  ER_ERROR_DURING_COMMIT: { code, why: "the commit broke off", remedy: againRemedy, elsewhere },
  ER_OPTION_PREVENTS_STATEMENT: lockedFault,
  ER_READ_ONLY_MODE: lockedFault,
  ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: lockedFault,
  ER_DISK_FULL: diskFull,
  ER_RECORD_FILE_FULL: diskFull,
  ER_NO_SUCH_TABLE: notMigrated,
  ER_ACCESS_DENIED_ERROR: denied,
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: denied,
  ER_DBACCESS_DENIED_ERROR: denied,
  ER_TABLEACCESS_DENIED_ERROR: denied,
  ER_BAD_DB_ERROR: {
    code: "BAD_CONFIG",
    why: "the database does not exist",
    remedy: "make it on the server with CREATE DATABASE, or check its name in the catalog URL",
  },
};

/** What MariaDB alone says, by its number, for mysql2 has no names for these. */
const mariaDbFaults: Record<number, Fault> = {
  // ER_CONNECTION_KILLED
  1927: lost,
  // ER_STATEMENT_TIMEOUT: longer than max_statement_time
  1969: brokenOff,
};

export function explainMySql(error: Error): Fault | undefined {
  if (error instanceof NoServerError) return error.fault;
  const driverCode = systemErrorCode(error) ?? "";
  if (Object.hasOwn(faults, driverCode)) return faults[driverCode];
  if ("errno" in error && typeof error.errno === "number") {
    const fault = mariaDbFaults[error.errno];
    if (fault !== undefined) return fault;
  }
  // mysql2 gives no code to a command on a connection that has just broken, only this mark.
  if ("fatal" in error && error.fatal === true && driverCode === "") return lost;
  return undefined;
}

/** Of a statement that waits for no row: so it is the other nodes that it could not wait for. */
export function explainLockFree(error: Error): Fault | undefined {
  return systemErrorCode(error) === "ER_LOCK_WAIT_TIMEOUT" ? partedFault : explainMySql(error);
}

/** None of the servers of a catalog can be used, each for a reason of its own. */
export class NoServerError extends Error {
  readonly fault: Fault;

  constructor(reasons: ReadonlyArray<{ readonly address: string; readonly fault: Fault }>) {
    const each = reasons.map(({ address, fault }) => `${address}: ${fault.why}`).join("; ");
    super(`no server can be used (${each})`);
    this.name = "NoServerError";
    // A wrong password is only told as such where no server that is away might take it.
    const [first] = reasons;
    const isSame = reasons.every(({ fault }) => fault.code === first?.fault.code);
    const remedy = "look at each server; where a majority is away, start it";
    this.fault = {
      ...(isSame && first !== undefined ? first.fault : { code, remedy }),
      why: this.message,
    };
  }
}

import { systemErrorCode } from "@dsm/protocol";
import { type Fault, notMigrated } from "../fault.ts";

const code = "CATALOG_UNAVAILABLE";
const startRemedy = "start the database server, or check host and port in the catalog URL";
const againRemedy = "try again in a moment";

const lost: Fault = {
  code,
  why: "the connection was lost",
  remedy: againRemedy,
  again: "stale connection",
};
const deadlock: Fault = { code, why: "deadlock", remedy: againRemedy, again: "deadlock" };
const full: Fault = { code, why: "the server allows no more connections", remedy: againRemedy };
const stopping: Fault = { code, why: "the server is shutting down", remedy: againRemedy };
const readOnly: Fault = {
  code,
  why: "the server is read-only",
  remedy: "name the primary server in the catalog URL",
};
const unreachable: Fault = { code, why: "no route to the server", remedy: startRemedy };
const denied: Fault = {
  code: "BAD_CONFIG",
  why: "the server refuses this user or password",
  remedy: "check user, password and grants of the catalog URL",
};

/** By the `code` that mysql2 and the system give. */
const faults: Record<string, Fault> = {
  ECONNREFUSED: { code, why: "nothing listens there", remedy: startRemedy },
  ENOTFOUND: { code, why: "the host name is unknown", remedy: startRemedy },
  EAI_AGAIN: { code, why: "the host name cannot be looked up now", remedy: againRemedy },
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ETIMEDOUT: { code, why: "the server does not answer", remedy: startRemedy },
  PROTOCOL_SEQUENCE_TIMEOUT: { code, why: "no answer in time", remedy: againRemedy },
  ECONNRESET: lost,
  EPIPE: lost,
  PROTOCOL_CONNECTION_LOST: lost,
  ER_CONNECTION_KILLED: lost,
  ER_CLIENT_INTERACTION_TIMEOUT: lost,
  ER_CON_COUNT_ERROR: full,
  ER_TOO_MANY_USER_CONNECTIONS: full,
  ER_USER_LIMIT_REACHED: full,
  ER_LOCK_DEADLOCK: deadlock,
  ER_LOCK_WAIT_TIMEOUT: { code, why: "others kept the rows locked", remedy: againRemedy },
  ER_SERVER_SHUTDOWN: stopping,
  ER_NORMAL_SHUTDOWN: stopping,
  ER_QUERY_INTERRUPTED: { code, why: "the server broke the statement off", remedy: againRemedy },
  // Galera: "WSREP has not yet prepared node for application use".
  ER_UNKNOWN_COM_ERROR: { code, why: "the node is not ready", remedy: againRemedy },
  ER_OPTION_PREVENTS_STATEMENT: readOnly,
  ER_READ_ONLY_MODE: readOnly,
  ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: readOnly,
  ER_DISK_FULL: { code, why: "the server's disk is full", remedy: "make room on its disk" },
  ER_RECORD_FILE_FULL: { code, why: "the server's disk is full", remedy: "make room on its disk" },
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

export function explainMySql(error: Error): Fault | undefined {
  const driverCode = systemErrorCode(error) ?? "";
  if (Object.hasOwn(faults, driverCode)) return faults[driverCode];
  // mysql2 gives no code to a command on a connection that has just broken, only this mark.
  if ("fatal" in error && error.fatal === true && driverCode === "") return lost;
  return undefined;
}

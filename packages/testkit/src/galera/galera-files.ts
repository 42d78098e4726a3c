import { chmod, cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mariaDbPassword, mariaDbUser } from "../mariadb-files.ts";
import { runTool } from "../hosts/run-tool.ts";

/** What an operator installs; the test of it is that Galera runs with it. */
const deployed = join(import.meta.dir, "../../../../deploy/galera/dsm-galera.cnf");

/** Where a node listens; each host has the same ports, and nodes of one host differ. */
export interface GaleraPorts {
  readonly sql: number;
  readonly group: number;
  readonly ist: number;
  readonly sst: number;
}

export interface NodeTerms {
  readonly name: string;
  readonly folder: string;
  readonly address: string;
  readonly ports: GaleraPorts;
  /** Of all nodes, with the ports of their groups. */
  readonly members: readonly string[];
}

/** Small, for data that nobody needs after the test; everything else is what is deployed. */
const small = `innodb_buffer_pool_size = 16M
innodb_log_file_size = 8M
innodb_data_file_path = ibdata1:2M:autoextend
aria_pagecache_buffer_size = 8M
key_buffer_size = 1M
performance_schema = off
skip_name_resolve
`;

export const filesOf = (folder: string) => ({
  config: join(folder, "my.cnf"),
  data: join(folder, "data"),
  temporary: join(folder, "tmp"),
  socket: join(folder, "s"),
  log: join(folder, "log"),
  state: join(folder, "data", "grastate.dat"),
});

/** Writes the configuration of a node, which has no data yet. */
export async function writeConfig(terms: NodeTerms): Promise<void> {
  const { folder, address, ports, members, name } = terms;
  const { config, temporary, socket, data } = filesOf(folder);
  await mkdir(temporary, { recursive: true });
  const text = await readFile(deployed, "utf8");
  const options = /^wsrep_provider_options = "(.*);gcache\.size=\w+"$/m.exec(text)?.[1];
  if (options === undefined) throw new Error(`${deployed} has no wsrep_provider_options`);
  const own = `bind_address = ${address}
port = ${ports.sql}
datadir = ${data}
tmpdir = ${temporary}
socket = ${socket}
wsrep_cluster_address = gcomm://${members.join(",")}
wsrep_node_name = ${name}
wsrep_node_address = ${address}:${ports.group}
wsrep_sst_receive_address = ${address}:${ports.sst}
wsrep_provider_options = "${options};gcache.size=16M;gmcast.listen_addr=tcp://${address}:${ports.group};ist.recv_addr=${address}:${ports.ist}"
`;
  await writeFile(config, `${text}\n${small}${own}`);
}

/** The system tables, and the account of tests for later. Galera takes them over as they are. */
export async function layData(folder: string, installer: string): Promise<void> {
  const { config, data } = filesOf(folder);
  await mkdir(data, { recursive: true });
  const root = process.getuid?.() === 0 ? ["--user=root"] : [];
  await runTool([
    installer,
    `--defaults-file=${config}`,
    `--datadir=${data}`,
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    "--wsrep-on=OFF",
    ...root,
  ]);
  const accounts = join(folder, "accounts.sql");
  const password = mariaDbPassword.replaceAll("'", "''");
  await writeFile(
    accounts,
    `CREATE USER IF NOT EXISTS '${mariaDbUser}'@'%' IDENTIFIED BY '${password}';\n` +
      `GRANT ALL ON *.* TO '${mariaDbUser}'@'%' WITH GRANT OPTION;\n`,
  );
}

/** What one node has becomes that of another, so that this one joins without a transfer. */
export async function copyData(from: string, to: string): Promise<void> {
  await cp(filesOf(from).data, filesOf(to).data, { recursive: true });
  // Each node has its own ring of changes.
  await rm(join(filesOf(to).data, "galera.cache"), { force: true });
}

/**
 * Gives a folder to the account that Debian runs MariaDB under: rsync, which fills new nodes, does
 * not work for root. @returns how to run a command under it
 */
export async function giveToMySql(folder: string): Promise<string[]> {
  if (process.getuid?.() !== 0) return [];
  await runTool(["chown", "-R", "mysql:mysql", folder]);
  return ["setpriv", "--reuid=mysql", "--regid=mysql", "--clear-groups", "--pdeathsig=KILL"];
}

/** Lets others than the owner reach what lies in it. */
export async function letThrough(folder: string): Promise<void> {
  await chmod(folder, 0o711);
}

/** As an operator allows a node to begin a cluster: it is the one that has everything. */
export async function allowBootstrap(folder: string): Promise<void> {
  const { state } = filesOf(folder);
  const text = await readFile(state, "utf8");
  await writeFile(state, text.replace(/^safe_to_bootstrap: \d$/m, "safe_to_bootstrap: 1"));
}

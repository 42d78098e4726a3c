import { mkdir } from "node:fs/promises";
import { join } from "node:path";

/** The account of all tests; its password holds what URLs and shells stumble over. */
export const mariaDbUser = "dsm";
export const mariaDbPassword = "p:w/@%?#'é";

/**
 * Small and fast, for data that nobody needs after the test. A commit still leaves the process
 * at once (…trx-commit=2), so that it survives kill -9 as it does in production.
 */
const options = `[mariadbd]
innodb-buffer-pool-size=16M
innodb-log-file-size=4M
innodb-data-file-path=ibdata1:2M:autoextend
innodb-flush-log-at-trx-commit=2
innodb-doublewrite=0
innodb-flush-method=nosync
aria-pagecache-buffer-size=8M
key-buffer-size=1M
performance-schema=off
skip-name-resolve
bind-address=127.0.0.1
`;

/** As in production, for benchmarks: a commit survives a power cut. Later lines win. */
const durableOptions = `innodb-flush-log-at-trx-commit=1
innodb-doublewrite=1
innodb-flush-method=fsync
innodb-log-file-size=128M
innodb-buffer-pool-size=256M
`;

export interface MariaDbOptions {
  /** Whether what is committed survives a power cut; not so unless asked for. */
  readonly durable?: boolean;
}

const accounts = [
  `CREATE USER IF NOT EXISTS '${mariaDbUser}'@'%' IDENTIFIED BY '${mariaDbPassword.replaceAll("'", "''")}';`,
  `GRANT ALL ON *.* TO '${mariaDbUser}'@'%' WITH GRANT OPTION;`,
];

export interface MariaDbFiles {
  readonly config: string;
  readonly data: string;
  readonly socket: string;
  readonly accounts: string;
  readonly log: string;
}

/** Lays out a data folder with the system tables. Takes about a second. */
export async function layMariaDb(
  folder: string,
  installer: string,
  { durable = false }: MariaDbOptions = {},
): Promise<MariaDbFiles> {
  const files: MariaDbFiles = {
    config: join(folder, "my.cnf"),
    data: join(folder, "data"),
    socket: join(folder, "s"),
    accounts: join(folder, "accounts.sql"),
    log: join(folder, "log"),
  };
  const temporary = join(folder, "tmp");
  await Promise.all([mkdir(files.data), mkdir(temporary)]);
  // A starting server removes the temporary tables of others that share its tmpdir.
  const more = durable ? durableOptions : "";
  await Bun.write(files.config, `${options}${more}tmpdir=${temporary}\n`);
  await Bun.write(files.accounts, `${accounts.join("\n")}\n`);
  const install = Bun.spawn(
    [
      installer,
      `--defaults-file=${files.config}`,
      `--datadir=${files.data}`,
      "--auth-root-authentication-method=normal",
      "--skip-test-db",
      ...asRoot(),
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  const [out, err] = await Promise.all([install.stdout.text(), install.stderr.text()]);
  if ((await install.exited) !== 0) throw new Error(`mariadb-install-db failed: ${out}${err}`);
  return files;
}

/** mariadbd refuses to run as root unless it is told so. */
export function asRoot(): string[] {
  return process.getuid?.() === 0 ? ["--user=root"] : [];
}

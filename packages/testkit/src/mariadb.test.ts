import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { mariaDbMissing, sharedMariaDb } from "./mariadb.ts";
import { until } from "./until.ts";

// The first test also installs and starts a server, on a machine that may be busy.
setDefaultTimeout(60_000);

const missing = mariaDbMissing();
const why = missing === undefined ? "" : ` (skipped: ${missing})`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(missing !== undefined)(`a private MariaDB${why}`, () => {
  test("gives databases that know nothing of each other", async () => {
    const server = await sharedMariaDb();
    expect(await sharedMariaDb()).toBe(server);
    const [one, two] = [await server.createDatabase(), await server.createDatabase()];
    expect(one).not.toBe(two);
    await server.query("CREATE TABLE t (n int)", new URL(one).pathname.slice(1));
    expect(await server.query("SHOW TABLES", new URL(two).pathname.slice(1))).toEqual([]);
  });

  test("ends with the process that started it, even when that is killed", async () => {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "mariadb-fixture.ts")], {
      stdout: "pipe",
      stderr: "inherit",
    });
    const { value } = await child.stdout.getReader().read();
    const { pid, folder } = JSON.parse(new TextDecoder().decode(value)) as {
      pid: number;
      folder: string;
    };
    expect(isAlive(pid)).toBe(true);
    child.kill("SIGKILL");
    await until("the server is gone", async () => !(await isRunning(pid)));
    await until("its folder is gone", () => !existsSync(folder));
  });
});

/** A process that ended but has no parent to collect it still has an entry: state Z. */
async function isRunning(pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const status = await Bun.file(`/proc/${pid}/stat`)
    .text()
    .catch(() => "");
  return status !== "" && !/\) [ZX] /.test(status);
}

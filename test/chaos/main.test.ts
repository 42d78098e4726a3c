import { expect, test } from "bun:test";
import { join } from "node:path";
import { startProcess, until } from "@dsm/testkit";

const main = join(import.meta.dir, "main.ts");

async function chaos(...args: string[]) {
  await using child = await startProcess({ cmd: [process.execPath, main, ...args] });
  const code = await child.exited;
  await child.stop();
  return { code, out: child.stdout(), err: child.stderr() };
}

test("--help tells, and wrong usage is told in one line", async () => {
  expect(await chaos("--help")).toMatchObject({ code: 0, err: "" });
  for (const args of [
    ["--minutes", "0"],
    ["--minutes", "1e3"],
    ["--seed", "-1"],
    ["--seed", "4294967296"],
    ["--catalog", "oracle"],
    ["--speed", "9"],
    ["now"],
  ]) {
    const { code, out, err } = await chaos(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/^chaos: [^\n]+; see bun run chaos --help\n$/);
  }
});

test("Ctrl-C ends a run early, and the figures are told", async () => {
  const cmd = [process.execPath, main, "--minutes", "60", "--catalog", "sqlite", "--seed", "7"];
  await using child = await startProcess({ cmd });
  const hasCluster = async () => (await descendants(child.pid)) > 8;
  await until("the cluster is up", hasCluster, 60_000);
  process.kill(child.pid, "SIGINT");
  expect(await child.exited).toBe(0);
  expect(child.stderr()).toBe("chaos: ending; what was done so far is checked\n");
  expect(child.stdout()).toMatch(/^seed +7$/m);
  expect(child.stdout()).toMatch(/^losses +0$/m);
}, 180_000);

/** How many processes it has started that still run. */
async function descendants(pid: number): Promise<number> {
  const children = await Bun.file(`/proc/${pid}/task/${pid}/children`).text();
  return children.split(" ").filter((text) => text.trim() !== "").length;
}

import { describe, expect, test } from "bun:test";
import { startProcess } from "@dsm/testkit";

const script = `
  const { crashPoint } = await import(${JSON.stringify(import.meta.resolve("./index.ts"))});
  for (let turn = 1; turn <= 3; turn++) {
    crashPoint("put.written");
    console.log("passed", turn);
    crashPoint("put.journaled");
  }
`;

async function run(crashAt: string) {
  await using child = await startProcess({
    cmd: [process.execPath, "-e", script],
    env: { DSM_CRASH_AT: crashAt },
  });
  const code = await child.exited;
  await child.stop();
  return { code, passed: child.stdout().match(/\d/g)?.length ?? 0, said: child.stderr() };
}

const killed = 128 + 9;

describe("crash points", () => {
  test("do nothing unless a variable names one", async () => {
    expect(await run("")).toEqual({ code: 0, passed: 3, said: "" });
  });

  test("end the process there and then, the n-th time that it comes by", async () => {
    expect(await run("put.written")).toMatchObject({ code: killed, passed: 0 });
    expect(await run("put.journaled:2")).toMatchObject({ code: killed, passed: 2 });
    expect(await run("put.journaled:4")).toMatchObject({ code: 0, passed: 3 });
  });

  test("a name that is none is an error, and no silent run without a crash", async () => {
    for (const wish of ["put.writen", "put.written:0", "put.written:x", ":1"]) {
      const { code, passed, said } = await run(wish);
      expect({ wish, failed: code !== 0, passed }).toEqual({ wish, failed: true, passed: 0 });
      expect(said).toContain("no such crash point");
    }
  });
});

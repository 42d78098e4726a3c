import { expect, test } from "bun:test";
import { startProcess, tempDir } from "@dsm/testkit";
import { type Software, thisDsm } from "../processes/dsm-processes.ts";
import { frozenVersions, unpackFrozen } from "./frozen.ts";

test.each(frozenVersions)("dsm up goes on with the data folder of dsm %s", async (version) => {
  await using frozen = await unpackFrozen(version);
  await using dir = await tempDir();
  const content = Buffer.from(crypto.getRandomValues(new Uint8Array(50_000)));
  await withUp(frozen.software, dir.path, async (http) => {
    const put = await fetch(`${http}/media/ann/a.bin`, { method: "PUT", body: content });
    expect(put.status).toBe(201);
  });
  await withUp(thisDsm, dir.path, async (http) => {
    expect(content.equals(await (await fetch(`${http}/media/ann/a.bin`)).bytes())).toBe(true);
    const put = await fetch(`${http}/media/ann/a.bin`, { method: "PUT", body: "new" });
    expect(put.status).toBe(200);
    expect(await (await fetch(`${http}/media/ann/a.bin`)).text()).toBe("new");
  });
});

/** Runs `dsm up` on a folder, and ends it as Ctrl-C does. */
async function withUp(
  software: Software,
  folder: string,
  work: (http: string) => Promise<void>,
): Promise<void> {
  await using up = await startProcess({
    cmd: [...software, "up", "--data", folder, "--http", "127.0.0.1:0", "--json"],
    ready: /"ready":true,"http":"([^"]+)"/,
  });
  await work(up.readyMatch?.[1] ?? "");
  process.kill(up.pid, "SIGTERM");
  expect(await up.exited).toBe(0);
}

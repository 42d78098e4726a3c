import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DsmProcesses, thisDsm } from "../processes/dsm-processes.ts";
import { type Frozen, frozenVersions, unpackFrozen } from "./frozen.ts";
import { tryCommands } from "./same-commands.ts";

for (const version of frozenVersions) {
  describe(`dsm ${version}`, () => {
    let frozen: Frozen;
    beforeAll(async () => {
      frozen = await unpackFrozen(version);
    });
    afterAll(() => frozen[Symbol.asyncDispose]());

    test("its client works with a cluster of this version", async () => {
      await using cluster = await DsmProcesses.start();
      await tryCommands(cluster, frozen.software);
    });

    test("the client of this version works with its cluster", async () => {
      await using cluster = await DsmProcesses.start({ software: frozen.software });
      await tryCommands(cluster, thisDsm);
      // What that version did not know yet says so, and breaks nothing.
      const { code, stderr } = await cluster.runWith(thisDsm, "user", "moves");
      const remedy = "run the same version of dsm on both sides";
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(remedy) });
    });
  });
}

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { clusterSecret, digestAtEnd, digestAtEndBytes, signCapability } from "@dsm/protocol";
import { jsonOf } from "@dsm/testkit";
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

    test("its storages refuse a digest behind the bytes, and store none of them", async () => {
      await using cluster = await DsmProcesses.start({ software: frozen.software, storages: 1 });
      const media = `${cluster.http}/media/ann`;
      expect((await fetch(`${media}/first`, { method: "PUT", body: "x" })).status).toBe(201);
      const expiresAtMs = Date.now() + 60_000;
      const claims = { intent: "write", user: "ann", group: "g1", expiresAtMs } as const;
      const capability = signCapability(clusterSecret(cluster.secret), claims);
      const put = await fetch(`http://${cluster.storages[0]!.endpoint}/media/ann/behind`, {
        method: "PUT",
        headers: { Authorization: `Bearer ${capability}`, "Repr-Digest": digestAtEnd },
        body: (async function* () {
          yield Buffer.from("hello");
          yield Buffer.alloc(digestAtEndBytes);
        })(),
      });
      expect([put.status, (await jsonOf(put)).code]).toEqual([400, "BAD_REQUEST"]);
      expect((await fetch(`${media}/behind`)).status).toBe(404);
    });
  });
}

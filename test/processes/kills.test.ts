import { describe, expect, test } from "bun:test";
import { bytesSource, DsmClient } from "@dsm/client";
import { collect, until } from "@dsm/testkit";
import { DsmProcesses } from "./dsm-processes.ts";

describe("processes that die by kill -9", () => {
  for (const delivery of ["local", "proxy"] as const) {
    test(`one of two storages, trackers and ID servers: no operation fails, ${delivery}`, async () => {
      await using cluster = await DsmProcesses.start({ delivery });
      const trackers = cluster.trackers.map((tracker) => tracker.endpoint);
      await using client = new DsmClient({ trackers, secret: cluster.secret });
      let done = 0;
      const stop = new AbortController();
      const loop = async (name: string) => {
        for (let i = 0; !stop.signal.aborted; i++) {
          const content = crypto.getRandomValues(new Uint8Array(1 + ((i * 7919) % 60_000)));
          const fileId = `${name}/${i}`;
          await client.upload({ user: "loop", fileId, source: bytesSource(content) });
          const { body } = await client.open({ user: "loop", fileId });
          expect(Bun.SHA256.hash(await collect(body))).toEqual(Bun.SHA256.hash(content));
          const got = await fetch(`${cluster.http}/media/loop/${fileId}`);
          expect(got.status === 200 ? (await got.bytes()).length : await got.text()).toBe(
            content.length,
          );
          done++;
        }
      };
      const loops = ["a", "b", "c"].map(loop);
      const moreWork = async () => {
        const before = done;
        await Promise.race([until("the loops get on", () => done > before + 15), ...loops]);
      };
      await moreWork();
      for (const role of [cluster.storages[0]!, cluster.trackers[0]!, cluster.ids[0]!]) {
        await role.kill();
        await moreWork();
        await role.start();
        await moreWork();
      }
      stop.abort();
      await Promise.all(loops);
      const listed = await client.list({ user: "loop", limit: 1000 });
      const ids = new Set(listed.files.map((file) => file.blobId));
      expect([listed.files.length, ids.size]).toEqual([done, done]);
    });
  }

  test("a role ends with exit code 0 on SIGTERM", async () => {
    await using cluster = await DsmProcesses.start({ trackers: 1, storages: 1 });
    const roles = [cluster.gateway, cluster.storages[0]!, cluster.ids[0]!, cluster.trackers[0]!];
    const codes = [];
    for (const role of roles) codes.push(await role.terminate());
    expect(codes).toEqual([0, 0, 0, 0]);
  });
});

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { HostBox, hostsMissing, tempDir } from "@dsm/testkit";
import { Site } from "./site.ts";
import { Traffic } from "./traffic.ts";

describe.skipIf(hostsMissing !== undefined)("dsm on hosts", () => {
  test("takes uploads and plays, and a storage that is killed is not missed", async () => {
    await using disk = await tempDir();
    await using box = await HostBox.open({ hosts: ["a", "b", "client"] });
    const root = join(disk.path, "g1");
    await using site = await Site.open({
      box,
      trackers: ["a", "b"],
      ids: ["a"],
      storages: ["a", "b"].map((host) => ({ group: "g1", host, root })),
      gateways: ["a"],
      delivery: "proxy",
    });
    const http = `http://${site.gateways[0]?.endpoint}`;
    const traffic = await Traffic.start(box.host("client"), { http, writeKey: site.writeKey });
    await traffic.goesOn();
    await site.storages[0]?.kill();
    await traffic.goesOn(20, 4_000_000);
    const figures = await traffic.stop();
    console.log(figures);
    expect(figures).toMatchObject({ failedUploads: 0, reconnects: 0, wrongBytes: 0, lost: 0 });
  }, 60_000);
});

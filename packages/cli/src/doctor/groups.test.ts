import { expect, test } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startCluster } from "@dsm/cluster";
import { clusterSecret } from "@dsm/protocol";
import { mountTmpfs, tempDir, tmpfsMissing } from "@dsm/testkit";
import { askTrackers } from "./ask-trackers.ts";
import { checkGroups } from "./groups.ts";

test.skipIf(tmpfsMissing !== undefined)(
  "a storage tells of its own root: inodes, sync, and that it is not mounted",
  async () => {
    await using dir = await tempDir();
    await using disk = await mountTmpfs({ sizeBytes: 64 * 1024 * 1024, inodes: 400 });
    const catalogUrl = `sqlite:${join(dir.path, "catalog.db")}`;
    const terms = { storages: 1, reserveBytes: 0, heartbeatIntervalMs: 100, catalogUrl } as const;
    await using cluster = await startCluster({ dataDir: disk.path, sync: "none", ...terms });
    const secret = clusterSecret(cluster.secret);
    const look = async () => {
      const trackers = await askTrackers(cluster.trackerEndpoints, secret);
      const nothing = { idServers: [], catalogUrl: undefined, gateways: [], media: [] };
      const subject = { ...nothing, secret, trackers, storage: "none" };
      return checkGroups(subject, AbortSignal.timeout(10_000));
    };
    const unsafe = { level: "warning", what: expect.stringContaining("do NOT survive") };
    expect(await look()).toMatchObject([unsafe]);

    await Promise.all(
      Array.from({ length: 390 }, (_, n) => mkdir(join(disk.path, `d${n}`)).catch(() => undefined)),
    );
    const few = { level: "warning", what: expect.stringMatching(/^only \d of 400 inodes are/) };
    expect(await look()).toMatchObject([unsafe, few]);

    const marker = join(cluster.groupRoot("g1"), "dsm-group.json");
    await writeFile(marker, (await readFile(marker, "utf8")).replace(/"id":"[^"]*"/, '"id":"x"'));
    expect(await look()).toMatchObject([
      { level: "error", what: expect.stringContaining("another file system is mounted there") },
    ]);
  },
);

import { expect, test } from "bun:test";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource } from "@dsm/client";
import { startCluster } from "@dsm/cluster";
import { createLog } from "@dsm/log";
import { DsmError } from "@dsm/protocol";
import { mountTmpfs, runTool, tempDir, tmpfsMissing, until } from "@dsm/testkit";

const outcome = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (thrown: unknown) => DsmError.from(thrown, "asking").code,
  );

test.skipIf(tmpfsMissing !== undefined)(
  "a mount that goes away is told to trackers, nothing goes to the folder below, and it comes back",
  async () => {
    await using stack = new AsyncDisposableStack();
    const disk = stack.use(await mountTmpfs({ sizeBytes: 64 << 20 }));
    const { path: dataDir } = stack.use(await tempDir());
    const root = join(dataDir, "groups/g1");
    await mkdir(root, { recursive: true });
    const mount = () => runTool(["mount", "--bind", disk.path, root]);
    const unmount = () => runTool(["umount", "--lazy", root]);
    await mount();
    stack.defer(() =>
      unmount().then(
        () => undefined,
        () => undefined,
      ),
    );
    const said: string[] = [];
    const log = createLog("info", { write: (line: string) => void said.push(line) });
    const terms = { log, reserveBytes: 0, heartbeatIntervalMs: 100, scrubBytesPerSecond: 0 };
    const cluster = stack.use(await startCluster({ dataDir, delivery: "proxy", ...terms }));
    const client = stack.use(cluster.client());
    const put = (fileId: string) =>
      client.upload({ user: "ann", fileId, source: bytesSource(new Uint8Array(5_000).fill(7)) });
    const get = async (fileId: string) => {
      const { body } = await client.open({ user: "ann", fileId });
      let sizeBytes = 0;
      for await (const chunk of body) sizeBytes += chunk.length;
      return sizeBytes;
    };
    const failing = async () => {
      const { groups } = await client.status();
      return groups.flatMap(({ members }) => members).map((it) => [it.online, it.failing]);
    };
    await put("before");
    expect(await get("before")).toBe(5_000);

    await unmount();
    // At once, before any look of a timer.
    expect(await outcome(put("meanwhile"))).not.toBe("done");
    await until("both say so", async () =>
      Bun.deepEquals(await failing(), [
        [true, true],
        [true, true],
      ]),
    );
    expect(await outcome(get("before"))).toBe("STORAGE_FAILED");
    expect(await outcome(put("meanwhile"))).not.toBe("done");
    expect(await readdir(root)).toEqual([]);
    // A probe that is written to the bare folder would say so.
    expect(said.filter((line) => line.includes("takes writes again"))).toEqual([]);

    await mount();
    await until("both are well", async () =>
      Bun.deepEquals(await failing(), [
        [true, false],
        [true, false],
      ]),
    );
    expect(await get("before")).toBe(5_000);
    await put("after");
    expect(await get("after")).toBe(5_000);
    const { files } = await client.list({ user: "ann", limit: 9 });
    expect(files.map(({ fileId }) => fileId)).toEqual(["after", "before"]);
  },
  60_000,
);

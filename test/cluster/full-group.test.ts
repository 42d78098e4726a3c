import { describe, expect, test } from "bun:test";
import { bytesSource } from "@dsm/client";
import { startCluster } from "@dsm/cluster";
import { DsmError } from "@dsm/protocol";
import { jsonOf, tempDir } from "@dsm/testkit";

const someBytes = bytesSource(new Uint8Array(1000));

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: unknown) => (error instanceof DsmError ? error.code : String(error)),
  );
}

describe("what a group can still do", () => {
  test("when it is full it takes no more, and gives, lists and deletes what it has", async () => {
    await using dir = await tempDir();
    const dataDir = dir.path;
    const secret = "5".repeat(64);
    {
      await using roomy = await startCluster({ dataDir, secret });
      await using client = roomy.client();
      await client.upload({ user: "ann", fileId: "f", source: someBytes });
    }
    // The same data, on a cluster that wants more in reserve than any disk has.
    await using full = await startCluster({ dataDir, secret, reserveBytes: 2 ** 52 });
    await using client = full.client();
    expect(await codeOf(client.upload({ user: "ann", fileId: "g", source: someBytes }))).toBe(
      "STORAGE_FULL",
    );
    const put = await fetch(`${full.http}/media/ann/g`, { method: "PUT", body: "x" });
    const { code, detail, remedy } = await jsonOf<Record<string, string>>(put);
    expect([put.status, code]).toEqual([507, "STORAGE_FULL"]);
    expect(detail).toMatch(/ has \d+ bytes free and keeps 4503599627370496 in reserve$/);
    expect(remedy).toContain("--reserve");
    expect((await fetch(`${full.http}/media/ann/f`)).status).toBe(200);
    await client.delete({ user: "ann", fileId: "f" });
    expect(await codeOf(client.stat("ann", "f"))).toBe("FILE_NOT_FOUND");
  });
});

describe("a delete for a user whom nobody knows", () => {
  test("says so and makes no user", async () => {
    await using dir = await tempDir();
    await using cluster = await startCluster({ dataDir: dir.path });
    await using client = cluster.client();
    expect(await codeOf(client.delete({ user: "nobody", fileId: "f" }))).toBe("USER_NOT_FOUND");
    const over = await fetch(`${cluster.http}/media/nobody/f`, { method: "DELETE" });
    expect([over.status, (await jsonOf(over)).code]).toEqual([404, "USER_NOT_FOUND"]);
    expect(await cluster.catalog.groupOf("nobody")).toBeUndefined();
  });
});

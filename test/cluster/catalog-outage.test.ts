import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { bytesSource } from "@dsm/client";
import { startCluster } from "@dsm/cluster";
import { DsmError } from "@dsm/protocol";
import { jsonOf, mariaDbMissing, startMariaDb, tempDir, until } from "@dsm/testkit";

setDefaultTimeout(60_000);

const missing = mariaDbMissing();
const why = missing === undefined ? "" : ` (${missing})`;

describe.skipIf(missing !== undefined)(`a catalog that goes away and comes back${why}`, () => {
  test("fails writes cleanly with a retryable error, and all goes on by itself", async () => {
    await using dir = await tempDir();
    await using server = await startMariaDb();
    const catalogUrl = await server.createDatabase();
    await using cluster = await startCluster({ dataDir: dir.path, catalogUrl });
    await using client = cluster.client();
    const put = (fileId: string) =>
      client.upload({ user: "ann", fileId, source: bytesSource(new Uint8Array(1000)) });
    await put("before");
    const read = () => fetch(`${cluster.http}/media/ann/before`);
    expect((await read()).status).toBe(200);

    await server.stop();
    const failed = await put("meanwhile").catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(DsmError);
    expect([(failed as DsmError).code, (failed as DsmError).exit]).toEqual([
      "CATALOG_UNAVAILABLE",
      5,
    ]);
    const overHttp = await fetch(`${cluster.http}/media/ann/meanwhile`, {
      method: "PUT",
      body: "x",
    });
    expect([overHttp.status, overHttp.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await jsonOf(overHttp)).code).toBe("CATALOG_UNAVAILABLE");

    // What was read lately goes on being read, and what was not cannot be known.
    const lately = await read();
    expect([lately.status, (await lately.bytes()).length]).toEqual([200, 1000]);
    expect((await fetch(`${cluster.http}/media/ann/unread`)).status).toBe(503);

    await server.start();
    await until("uploads go on", () =>
      put("after").then(
        () => true,
        (error: unknown) => (error as DsmError).code === "FILE_EXISTS",
      ),
    );
    const listed = await client.list({ user: "ann", limit: 10 });
    expect(listed.files.map((file) => file.fileId)).toEqual(["after", "before"]);
  });
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { DsmError } from "@dsm/protocol";
import { collect, jsonOf, tempDir } from "@dsm/testkit";

interface Page {
  readonly files: ReadonlyArray<{ readonly fileId: string }>;
  readonly next?: string;
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "none";
  } catch (error) {
    return error instanceof DsmError ? error.code : String(error);
  }
}

for (const delivery of ["local", "proxy"] as const) {
  describe(`the road once, delivery ${delivery}`, () => {
    let stack: AsyncDisposableStack;
    let cluster: Cluster;
    let client: DsmClient;
    const media = (path: string, init?: RequestInit) =>
      fetch(`${cluster.http}/media/${path}`, init);

    beforeAll(async () => {
      stack = new AsyncDisposableStack();
      const dir = stack.use(await tempDir());
      cluster = stack.use(await startCluster({ dataDir: dir.path, delivery, groups: 2 }));
      client = stack.use(cluster.client());
    });
    afterAll(() => stack.disposeAsync());

    test("upload, stat, list, open, delete through the SDK", async () => {
      const content = crypto.getRandomValues(new Uint8Array(300_000));
      const { file, created } = await client.upload({
        user: "ann",
        fileId: "films/the film.mp4",
        source: bytesSource(content),
      });
      expect([created, file.sizeBytes, file.mediaType, file.version]).toEqual([
        true,
        content.length,
        "video/mp4",
        1,
      ]);
      expect(await client.stat("ann", "films/the film.mp4")).toEqual(file);
      expect((await client.list({ user: "ann", limit: 10 })).files).toEqual([file]);
      const part = await client.open({
        user: "ann",
        fileId: "films/the film.mp4",
        start: 1_000,
        endExclusive: 200_001,
      });
      expect(await collect(part.body)).toEqual(content.subarray(1_000, 200_001));
      await client.delete({ user: "ann", fileId: "films/the film.mp4" });
      expect(await codeOf(client.stat("ann", "films/the film.mp4"))).toBe("FILE_NOT_FOUND");
      expect((await client.list({ user: "ann", limit: 10 })).files).toEqual([]);
      expect(await codeOf(client.delete({ user: "ann", fileId: "films/the film.mp4" }))).toBe(
        "FILE_NOT_FOUND",
      );
    });

    test("an existing file is replaced only when that was asked for", async () => {
      const put = (text: string, more: object = {}) =>
        client.upload({
          user: "bob",
          fileId: "a.txt",
          source: bytesSource(bytesOf(text)),
          ...more,
        });
      const first = (await put("one")).file;
      expect(await codeOf(put("two"))).toBe("FILE_EXISTS");
      const second = await put("two", { overwrite: true });
      expect([second.created, second.file.version]).toEqual([false, 2]);
      expect(await codeOf(put("three", { ifMatch: `"${first.sha256}"` }))).toBe(
        "PRECONDITION_FAILED",
      );
      expect((await put("three", { ifMatch: `"${second.file.sha256}"` })).file.version).toBe(3);
      expect(await (await media("bob/a.txt")).text()).toBe("three");
    });

    test("PUT, GET, HEAD, Range, conditions and DELETE over HTTP", async () => {
      const put = await media("cem/b.bin", { method: "PUT", body: "0123456789" });
      const etag = put.headers.get("ETag") ?? "";
      expect([put.status, /^"[0-9a-f]{64}"$/.test(etag)]).toEqual([201, true]);
      const got = await media("cem/b.bin");
      const head = await media("cem/b.bin", { method: "HEAD" });
      const names = ["content-length", "etag", "last-modified", "accept-ranges", "content-type"];
      names.push("repr-digest");
      const pick = (response: Response) => names.map((name) => response.headers.get(name));
      expect(pick(got)).toEqual(pick(head));
      expect(pick(got)).not.toContain(null);
      expect(await got.text()).toBe("0123456789");
      const part = await media("cem/b.bin", { headers: { Range: "bytes=2-4" } });
      expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([
        206,
        "bytes 2-4/10",
        "234",
      ]);
      const none = await media("cem/b.bin", { headers: { Range: "bytes=10-" } });
      expect([none.status, none.headers.get("content-range")]).toEqual([416, "bytes */10"]);
      const same = await media("cem/b.bin", { headers: { "If-None-Match": etag } });
      expect([same.status, await same.text()]).toEqual([304, ""]);
      const refused = await media("cem/b.bin", {
        method: "PUT",
        body: "x",
        headers: { "If-None-Match": "*" },
      });
      expect([refused.status, (await jsonOf(refused)).code]).toEqual([412, "FILE_EXISTS"]);
      expect((await media("cem/b.bin", { method: "PUT", body: "new" })).status).toBe(200);
      expect((await media("cem/b.bin", { method: "DELETE" })).status).toBe(204);
      const gone = await media("cem/b.bin");
      expect([gone.status, gone.headers.get("content-type"), (await jsonOf(gone)).code]).toEqual([
        404,
        "application/problem+json",
        "FILE_NOT_FOUND",
      ]);
    });

    test("a wrong digest is refused and nothing is stored", async () => {
      const zeros = `sha-256=:${Buffer.alloc(32).toString("base64")}:`;
      const put = await media("dan/c.bin", {
        method: "PUT",
        body: "bytes",
        headers: { "Repr-Digest": zeros },
      });
      expect([put.status, (await jsonOf(put)).code]).toEqual([422, "DIGEST_MISMATCH"]);
      expect((await media("dan/c.bin")).status).toBe(404);
    });

    test("an empty file is a file", async () => {
      expect((await media("eve/empty", { method: "PUT", body: "" })).status).toBe(201);
      const got = await media("eve/empty");
      expect([got.status, got.headers.get("content-length"), await got.text()]).toEqual([
        200,
        "0",
        "",
      ]);
    });

    test("the JSON API lists by page and says what is wrong with a request", async () => {
      for (const name of ["x/1", "x/2", "x/3", "y"]) {
        await media(`fay/${name}`, { method: "PUT", body: name });
      }
      const api = (query: string) => fetch(`${cluster.http}/api/v1/files?${query}`);
      const page = await jsonOf<Page>(await api("user=fay&prefix=x/&limit=2"));
      expect([page.files.map((f) => f.fileId), page.next]).toEqual([["x/1", "x/2"], "x/2"]);
      const rest = await jsonOf<Page>(await api("user=fay&prefix=x/&after=x/2"));
      expect([rest.files.length, rest.next]).toEqual([1, undefined]);
      const bad = await Promise.all(
        ["", "user=fay&limit=0", "user=fay&limit=x", "user=fay&hue=1", "user=.x"].map(api),
      );
      expect(bad.map((response) => response.status)).toEqual([400, 400, 400, 400, 400]);
      expect((await api("user=nobody")).status).toBe(404);
      const one = await fetch(`${cluster.http}/api/v1/files/fay/x/1`);
      expect((await jsonOf<{ sizeBytes: number }>(one)).sizeBytes).toBe(3);
    });

    test("unknown users, bad names, other methods and paths have problem JSON", async () => {
      const ask = async (path: string, method = "GET") => {
        const response = await fetch(`${cluster.http}${path}`, { method });
        return [response.status, (await jsonOf(response)).code];
      };
      expect(await ask("/media/nobody/x")).toEqual([404, "USER_NOT_FOUND"]);
      expect(await ask("/media/fay/nothing")).toEqual([404, "FILE_NOT_FOUND"]);
      expect(await ask("/media/.hidden/x")).toEqual([400, "BAD_NAME"]);
      expect(await ask("/media/fay/%ff")).toEqual([400, "BAD_NAME"]);
      expect(await ask("/media/fay/a%00b")).toEqual([400, "BAD_NAME"]);
      expect(await ask("/media/fay//x")).toEqual([400, "BAD_NAME"]);
      expect(await ask("/media/fay")).toEqual([404, "UNKNOWN_ROUTE"]);
      expect(await ask("/nowhere")).toEqual([404, "UNKNOWN_ROUTE"]);
      expect(await ask("/media/fay/x", "PATCH")).toEqual([405, "METHOD_NOT_ALLOWED"]);
    });

    test("a user's files stay in one group, and the groups' folders hold the bytes as they are", async () => {
      for (const name of ["1", "2", "3"]) {
        await client.upload({ user: "gus", fileId: name, source: bytesSource(bytesOf(name)) });
      }
      const { files } = await client.list({ user: "gus", limit: 10 });
      expect(new Set(files.map((file) => file.group)).size).toBe(1);
    });

    test("healthz and readyz", async () => {
      expect((await fetch(`${cluster.http}/healthz`)).status).toBe(200);
      expect((await fetch(`${cluster.http}/readyz`)).status).toBe(200);
    });
  });
}

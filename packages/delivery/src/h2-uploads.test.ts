import { describe, expect, test } from "bun:test";
import { DsmError, limits } from "@dsm/protocol";
import { tempDir, until } from "@dsm/testkit";
import type { FetchHandler } from "./engine.ts";
import { serveHttp } from "./http-server.ts";
import { curl } from "./testing/curl.ts";
import { fixedPair } from "./testing/tls-pairs.ts";
import { endStream, frameTypes, H2Wire } from "./testing/h2-wire.ts";

const mebi = 1024 * 1024;
const tls = fixedPair();
const hello = Buffer.from("hello");
/** The largest frame that needs no agreement (RFC 9113, section 6.5.2). */
const frameBytes = 16_384;
/** RFC 9113, section 7. */
const protocolError = 1;

describe.each([false, true])("an upload over HTTP/2 (reusePort %p)", (reusePort) => {
  const serve = (fetch: FetchHandler, idleTimeoutS = 60) =>
    serveHttp({
      engine: "stream",
      tls,
      hostname: "127.0.0.1",
      port: 0,
      reusePort,
      idleTimeoutS,
      fetch,
    });

  /** Reads a body to its end and tells how it ended. */
  function reader() {
    const outcome = Promise.withResolvers<string>();
    let readBytes = 0;
    const fetch: FetchHandler = async (request) => {
      try {
        for await (const chunk of request.body ?? []) readBytes += chunk.length;
        outcome.resolve(`whole: ${readBytes}`);
      } catch (error) {
        outcome.resolve(error instanceof DsmError ? error.code : String(error));
        throw error;
      }
      return new Response("done");
    };
    return { fetch, outcome: outcome.promise, readBytes: () => readBytes };
  }

  test("arrives whole", async () => {
    await using dir = await tempDir();
    const path = `${dir.path}/sent`;
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    await Bun.write(path, new Blob(Array.from({ length: 256 }, () => bytes)));
    await using server = await serve(async (request) => {
      const hasher = new Bun.CryptoHasher("sha256");
      for await (const chunk of request.body ?? []) hasher.update(chunk);
      return new Response(hasher.digest("hex"), { status: 201 });
    });
    const answer = await curl("--http2", "-T", path, server.url);
    const sha256 = Bun.SHA256.hash(await Bun.file(path).bytes(), "hex");
    expect([answer.status, answer.body.toString()]).toEqual([201, sha256]);
  });

  test("that nobody reads holds no other one up", async () => {
    const finish = Promise.withResolvers<void>();
    await using server = await serve(async (request) => {
      if (request.url.endsWith("/held")) await finish.promise;
      return new Response(`${(await request.bytes()).length}`);
    });
    await using wire = await H2Wire.connect(server);
    wire.put(1, "/held");
    wire.put(3, "/read");
    await until("both are told", () => server.activeRequests === 2);
    // All that the first may send, and as much for the second.
    for (let sent = 0; sent < limits.h2UploadWindowBytes; sent += frameBytes) {
      wire.send(frameTypes.data, 0, 1, Buffer.alloc(frameBytes));
    }
    const room = () => wire.of(0).filter(({ type }) => type === frameTypes.windowUpdate).length;
    await until("the connection has room again", () => room() > 1);
    wire.send(frameTypes.data, endStream, 3, hello);
    expect(await wire.ended(3)).toBe("whole");
    finish.resolve();
  });

  test.each(["reset", "gone"])("that is cut never ends as whole (%s)", async (how) => {
    const { fetch, outcome, readBytes } = reader();
    await using server = await serve(fetch);
    await using wire = await H2Wire.connect(server);
    wire.put(1);
    wire.send(frameTypes.data, 0, 1, hello);
    await until("the first bytes are read", () => readBytes() > 0);
    if (how === "reset") wire.reset(1);
    else wire.socket.destroy();
    expect(await outcome).toBe("UPLOAD_INCOMPLETE");
    await until("nothing is active", () => server.activeRequests === 0);
  });

  test("that is cut while nobody reads it never ends as whole", async () => {
    const outcome = Promise.withResolvers<string>();
    await using server = await serve(async (request) => {
      const left = Promise.withResolvers<void>();
      request.signal.addEventListener("abort", () => left.resolve());
      await left.promise;
      await request.bytes().then(
        (bytes) => outcome.resolve(`whole: ${bytes.length}`),
        (error: unknown) => outcome.resolve(error instanceof DsmError ? error.code : "rejected"),
      );
      return new Response("done");
    });
    await using wire = await H2Wire.connect(server);
    wire.put(1);
    wire.send(frameTypes.data, 0, 1, hello);
    await until("one is active", () => server.activeRequests === 1);
    wire.reset(1);
    expect(await outcome.promise).toBe("UPLOAD_INCOMPLETE");
  });

  test("of a client that is killed never ends as whole", async () => {
    const { fetch, outcome, readBytes } = reader();
    await using server = await serve(fetch);
    const args = ["-s", "-k", "--http2", "--max-time", "60", "-T", "-", server.url];
    const client = Bun.spawn(["curl", ...args], { stdin: "pipe", stdout: "ignore" });
    void client.stdin.write(new Uint8Array(mebi));
    await client.stdin.flush();
    await until("the first bytes are read", () => readBytes() > 0);
    client.kill("SIGKILL");
    expect(await outcome).toBe("UPLOAD_INCOMPLETE");
  });

  // RFC 9113, section 8.1.1.
  test.each(["10", "3", "-1", "many"])("of 5 bytes with length %s is refused", async (length) => {
    const ends: string[] = [];
    await using server = await serve(async (request) => {
      await request.bytes().then(
        () => ends.push("whole"),
        () => ends.push("cut"),
      );
      return new Response("done");
    });
    await using wire = await H2Wire.connect(server);
    wire.put(1, "/", { "content-length": length });
    wire.send(frameTypes.data, endStream, 1, hello);
    expect(await wire.ended(1)).toBe(protocolError);
    await until("nothing is active", () => server.activeRequests === 0);
    // Where the length is no number, the handler never heard of it.
    expect(ends).not.toContain("whole");
  });

  test("that stalls is refused", async () => {
    const { fetch, outcome } = reader();
    await using server = await serve(fetch, 1);
    await using wire = await H2Wire.connect(server);
    wire.put(1);
    wire.send(frameTypes.data, 0, 1, hello);
    expect(await outcome).toBe("UPLOAD_INCOMPLETE");
    await until("nothing is active", () => server.activeRequests === 0);
  });

  test("goes no faster than it is read, and a client that breaks its window is cut", async () => {
    const finish = Promise.withResolvers<void>();
    await using server = await serve(async (request) => {
      await request.body?.getReader().read();
      await finish.promise;
      return new Response("enough");
    });
    await using wire = await H2Wire.connect(server);
    wire.put(1);
    for (let i = 0; i < 4; i++) {
      wire.send(frameTypes.data, 0, 1, Buffer.alloc(frameBytes - 1));
    }
    await until("one is active", () => server.activeRequests === 1);
    const grants = wire.of(1).filter(({ type }) => type === frameTypes.windowUpdate);
    const granted = grants.reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
    expect(granted).toBeLessThan(mebi);
    for (let i = 0; i < 200; i++) wire.send(frameTypes.data, 0, 1, Buffer.alloc(frameBytes));
    await wire.closed();
    expect(wire.endOf(1)).not.toBe("whole");
    finish.resolve();
  });

  test("is answered early, and then asked to end (RFC 9113, section 8.1)", async () => {
    await using dir = await tempDir();
    const path = `${dir.path}/sent`;
    await Bun.write(path, new Uint8Array(32 * mebi));
    await using server = await serve(() => new Response("no", { status: 412 }));
    const answer = await curl("--http2", "-T", path, server.url);
    expect([answer.exitCode, answer.status, answer.body.toString()]).toEqual([0, 412, "no"]);
    await using wire = await H2Wire.connect(server);
    wire.put(1);
    expect(await wire.ended(1)).toBe("whole");
    const reset = () => wire.of(1).find(({ type }) => type === frameTypes.resetStream);
    await until("it is asked", () => reset() !== undefined);
    expect(reset()?.payload.readUInt32BE()).toBe(0);
    await until("nothing is active", () => server.activeRequests === 0);
  });
});

import { describe, expect, test } from "bun:test";
import { truncate } from "node:fs/promises";
import { tempDir, until } from "@dsm/testkit";
import type { FetchHandler } from "./engine.ts";
import { serveHttp } from "./http-server.ts";
import { localSource } from "./local-source.ts";
import { planResponse } from "./plan.ts";
import { respond } from "./respond.ts";
import { engines } from "./testing/engines.ts";
import { RawClient } from "./testing/raw-client.ts";
import { blobFile, sampleFile } from "./testing/sample-file.ts";

const bodyBytes = 64 * 1024 * 1024;

/** Bun.serve counts time-outs in steps of 4 s, so these tests wait side by side. */
describe.each(engines)("serveHttp, %s: what does not move is cut", (_name, engine) => {
  const serve = (fetch: FetchHandler) =>
    serveHttp({ ...engine, hostname: "127.0.0.1", port: 0, fetch, idleTimeoutS: 1 });

  test.concurrent("an upload that stalls", async () => {
    const outcome = Promise.withResolvers<string>();
    await using server = await serve(async (request) => {
      await request.bytes().then(
        () => outcome.resolve("clean end"),
        () => outcome.resolve("rejected"),
      );
      return new Response("done");
    });
    await using client = await RawClient.connect(server);
    client.request("PUT / HTTP/1.1", "Content-Length: 1000");
    client.socket.write("hello");
    expect(await outcome.promise).toBe("rejected");
    await client.closed();
  });

  test.concurrent("but not an upload that is slow, however long it takes", async () => {
    await using server = await serve(async (request) => new Response(await request.text()));
    await using client = await RawClient.connect(server);
    const pieces = 36;
    client.request("PUT / HTTP/1.1", `Content-Length: ${pieces}`);
    // Bun.serve would cut it in the second of its steps of 4 s at the latest.
    for (let sent = 0; sent < pieces; sent++) {
      client.socket.write("x");
      await Bun.sleep(250);
    }
    await until("it is answered", () => client.head.includes("x".repeat(pieces)));
  });

  test.concurrent("the second upload of a connection, too", async () => {
    await using server = await serve(async (request) => new Response(await request.text()));
    await using client = await RawClient.connect(server);
    client.request("PUT / HTTP/1.1", "Content-Length: 5");
    client.socket.write("hello");
    await until("the first one is answered", () => client.head.includes("hello"));
    client.request("PUT / HTTP/1.1", "Content-Length: 1000");
    await client.closed();
    await until("none is active", () => server.activeRequests === 0);
  });

  test.concurrent("a reader that stalls", async () => {
    await using server = await serve(() => new Response(new Uint8Array(bodyBytes)));
    await using client = await RawClient.connect(server);
    client.socket.pause();
    client.request("GET / HTTP/1.1");
    await until("one is active", () => server.activeRequests === 1);
    await until("none is active", () => server.activeRequests === 0);
    client.socket.resume();
    await client.closed();
    expect(client.receivedBytes).toBeLessThan(bodyBytes);
  });

  test.concurrent("a blob that shrinks while it is sent: it never looks complete", async () => {
    await using dir = await tempDir();
    const file = { ...sampleFile, sizeBytes: 4 * bodyBytes };
    const path = await blobFile(dir.path);
    await Bun.write(path, "");
    await truncate(path, file.sizeBytes);
    await using server = await serve(({ method, headers }) =>
      respond(
        planResponse({ method, headers, download: false, keepsLength: false }, file),
        localSource(dir.path, file),
      ),
    );
    await using client = await RawClient.connect(server);
    client.socket.pause();
    client.request("GET / HTTP/1.1");
    await until("it is active", () => server.activeRequests === 1);
    await truncate(path, 0);
    client.socket.resume();
    await client.closed();
    expect(client.receivedBytes).toBeLessThan(file.sizeBytes);
  });
});

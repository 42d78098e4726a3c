import { describe, expect, test } from "bun:test";
import { tempDir, until } from "@dsm/testkit";
import type { FetchHandler } from "./engine.ts";
import { serveHttp } from "./http-server.ts";
import { engines } from "./testing/engines.ts";
import { curl } from "./testing/curl.ts";
import { RawClient } from "./testing/raw-client.ts";

const mebi = 1024 * 1024;
const fiveGibi = 5 * 1024 * mebi;

describe.each(engines)("serveHttp, %s: uploads", (_name, engine) => {
  const serve = (fetch: FetchHandler) =>
    serveHttp({ ...engine, hostname: "127.0.0.1", port: 0, fetch });

  test.each(["length", "chunked"])("a body arrives whole (%s)", async (framing) => {
    await using dir = await tempDir();
    const path = `${dir.path}/sent`;
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    await Bun.write(path, new Blob(Array.from({ length: 64 }, () => bytes)));
    await using server = await serve(async (request) => {
      const hasher = new Bun.CryptoHasher("sha256");
      for await (const chunk of request.body ?? []) hasher.update(chunk);
      return new Response(hasher.digest("hex"), { status: 201 });
    });
    const how = framing === "length" ? [] : ["-H", "Transfer-Encoding: chunked"];
    const answer = await curl(...how, "-H", "Expect: 100-continue", "-T", path, server.url);
    const sha256 = new Bun.CryptoHasher("sha256").update(await Bun.file(path).bytes());
    expect([answer.status, answer.body.toString()]).toEqual([201, sha256.digest("hex")]);
  });

  test.each(["Content-Length: 0", "X-No: body"])(
    "an empty body ends at once (%s)",
    async (line) => {
      await using server = await serve(async (request) => {
        let count = 0;
        for await (const chunk of request.body ?? []) count += chunk.length;
        return new Response(`${count} bytes`);
      });
      await using client = await RawClient.connect(server);
      client.request("PUT / HTTP/1.1", line);
      await until("it is answered", () => client.head.includes("0 bytes"));
    },
  );

  test("Expect: 100-continue is answered before the body is sent", async () => {
    await using server = await serve(async (request) => new Response(await request.text()));
    await using client = await RawClient.connect(server);
    client.request("PUT / HTTP/1.1", "Expect: 100-continue", "Content-Length: 5");
    await until("it may go on", () => client.head.startsWith("HTTP/1.1 100 Continue\r\n"));
    client.socket.write("hello");
    await until("the body is back", () => client.head.includes("hello"));
  });

  for (const framing of ["Content-Length: 1000000", "Transfer-Encoding: chunked"]) {
    for (const leaving of ["end", "resetAndDestroy"] as const) {
      test(`a client that vanishes never ends its body cleanly (${framing}, ${leaving})`, async () => {
        const outcome = Promise.withResolvers<string>();
        let readBytes = 0;
        await using server = await serve(async (request) => {
          try {
            for await (const chunk of request.body ?? []) readBytes += chunk.length;
            outcome.resolve("clean end");
          } catch {
            outcome.resolve("rejected");
          }
          return new Response("done");
        });
        await using client = await RawClient.connect(server);
        client.request("PUT / HTTP/1.1", framing);
        client.socket.write("5\r\nhello\r\n");
        await until("the first bytes are read", () => readBytes > 0);
        client.socket[leaving]();
        expect(await outcome.promise).toBe("rejected");
        await until("nothing is active", () => server.activeRequests === 0);
      });
    }
  }

  test("a body that is piped to a file rejects too when the client vanishes", async () => {
    await using dir = await tempDir();
    const outcome = Promise.withResolvers<string>();
    const started = Promise.withResolvers<void>();
    await using server = await serve(async (request) => {
      started.resolve();
      const written = Bun.write(`${dir.path}/blob`, new Response(request.body));
      written.then(() => outcome.resolve("clean end")).catch(() => outcome.resolve("rejected"));
      return new Response(await outcome.promise);
    });
    await using client = await RawClient.connect(server);
    client.request("PUT / HTTP/1.1", "Content-Length: 1000000");
    client.socket.write("hello");
    await started.promise;
    client.socket.destroy();
    expect(await outcome.promise).toBe("rejected");
  });

  test("a handler that does not read holds the client back", async () => {
    const finish = Promise.withResolvers<void>();
    let readBytes = 0;
    await using server = await serve(async (request) => {
      const reader = request.body?.getReader();
      const first = await reader?.read();
      readBytes += first?.value?.length ?? 0;
      await finish.promise;
      return new Response("enough");
    });
    await using client = await RawClient.connect(server);
    client.request("PUT / HTTP/1.1", `Content-Length: ${fiveGibi}`);
    expect(await client.flood(256 * mebi)).toBeLessThan(64 * mebi);
    expect(readBytes).toBeGreaterThan(0);
    finish.resolve();
  });

  test("5 GiB are announced and accepted", async () => {
    await using server = await serve(async (request) => {
      const first = await request.body?.getReader().read();
      return Response.json([request.headers.get("content-length"), first?.value?.length]);
    });
    await using client = await RawClient.connect(server);
    client.request("PUT / HTTP/1.1", `Content-Length: ${fiveGibi}`);
    client.socket.write("hello");
    await until("it is answered", () => client.head.includes(`["${fiveGibi}",5]`));
  });

  test("an early answer arrives although the body goes on", async () => {
    await using server = await serve(() => new Response("no", { status: 412 }));
    await using client = await RawClient.connect(server);
    client.request("PUT / HTTP/1.1", `Content-Length: ${fiveGibi}`);
    await client.flood(16 * mebi);
    await until("it is answered", () => client.head.startsWith("HTTP/1.1 412"));
    await until("nothing is active", () => server.activeRequests === 0);
  });

  test("a connection goes on behind an early answer to a small body", async () => {
    await using server = await serve((request) => new Response(`${request.method} refused`));
    await using client = await RawClient.connect(server);
    client.request("PUT / HTTP/1.1", "Content-Length: 5");
    client.socket.write("hello");
    await until("the first answer is there", () => client.head.includes("PUT refused"));
    client.request("GET / HTTP/1.1");
    await until("the second answer is there", () => client.head.includes("GET refused"));
  });

  test("an early answer to a body that was read in part arrives too", async () => {
    await using server = await serve(async (request) => {
      for await (const chunk of request.body ?? []) if (chunk.length > 0) break;
      return new Response("no", { status: 412 });
    });
    await using client = await RawClient.connect(server);
    client.request("PUT / HTTP/1.1", `Content-Length: ${32 * mebi}`);
    await client.flood(32 * mebi);
    await until("it is answered", () => client.head.startsWith("HTTP/1.1 412"));
    await until("nothing is active", () => server.activeRequests === 0);
  });
});

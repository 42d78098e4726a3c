import { describe, expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import { tempDir, until } from "@dsm/testkit";
import type { HttpServer } from "./engine.ts";
import { serveHttp } from "./http-server.ts";
import { localSource } from "./local-source.ts";
import { planResponse } from "./plan.ts";
import { respond } from "./respond.ts";
import { engines } from "./testing/engines.ts";
import { RawClient } from "./testing/raw-client.ts";
import { storeSample } from "./testing/sample-file.ts";

/** Status line and header lines, names in lower case, sorted; the same time in all of them. */
async function headOf(server: HttpServer, ...lines: string[]): Promise<string[]> {
  await using client = await RawClient.connect(server);
  client.request(...lines, "Connection: close");
  await client.closed();
  const [head = "", ...rest] = client.head.split("\r\n\r\n");
  if (lines[0]?.startsWith("HEAD")) expect(rest.join("")).toBe("");
  return head
    .split("\r\n")
    .map((line) => line.replace(/^[\w-]+: /, (name) => name.toLowerCase()))
    .map((line) => line.replace(/^date: .*/, "date: then"))
    .toSorted();
}

async function sampleServer(engine: (typeof engines)[number][1], root: string) {
  const file = await storeSample(root, Buffer.alloc(5000, "a"));
  const server = await serveHttp({
    ...engine,
    hostname: "127.0.0.1",
    port: 0,
    cors: {
      origins: ["*", "https://named.example"],
      routeOf: () => ({ methods: ["GET", "HEAD"], readByAnyOrigin: true }),
    },
    fetch: ({ url, method, headers }, { keepsLength }) => {
      const missing = new DsmError("FILE_NOT_FOUND", "there is no such file");
      if (!url.endsWith("/there")) throw missing;
      const request = { method, headers, download: false, keepsLength };
      return respond(planResponse(request, file), localSource(root, file));
    },
  });
  return { server, file };
}

describe.each(engines)("RFC 9110, section 9.3.2: HEAD has the headers of GET, %s", (_n, engine) => {
  test.each<[number, string, string[]]>([
    [200, "/there", []],
    [200, "/there", ["Origin: https://named.example"]],
    [304, "/there", ["If-None-Match: *"]],
    [412, "/there", ['If-Match: "old"']],
    [404, "/gone", []],
    [404, "/gone", ["Origin: https://other.example"]],
  ])("%d of %s with %p", async (status, path, headers) => {
    await using dir = await tempDir();
    const { server } = await sampleServer(engine, dir.path);
    await using _ = server;
    const get = await headOf(server, `GET ${path} HTTP/1.1`, ...headers);
    expect(get).toContainEqual(expect.stringMatching(new RegExp(`^HTTP/1.1 ${status} `)));
    expect(get).toContain("date: then");
    expect(get.some((line) => /^content-length: [1-9]/.test(line))).toBe(status !== 304);
    expect(await headOf(server, `HEAD ${path} HTTP/1.1`, ...headers)).toEqual(get);
  });

  test("RFC 9110, section 14.2: also where only a GET has ranges", async () => {
    await using dir = await tempDir();
    const { server } = await sampleServer(engine, dir.path);
    await using _ = server;
    const whole = await headOf(server, "GET /there HTTP/1.1");
    for (const range of ["bytes=0-1", "bytes=0-1,-1", "bytes=9999-"]) {
      expect(await headOf(server, "HEAD /there HTTP/1.1", `Range: ${range}`)).toEqual(whole);
    }
  });

  test("RFC 9112, section 9.3: and a connection goes on behind it", async () => {
    await using dir = await tempDir();
    const { server } = await sampleServer(engine, dir.path);
    await using _ = server;
    await using client = await RawClient.connect(server);
    for (const [count, line] of ["HEAD /there", "HEAD /gone", "GET /gone"].entries()) {
      client.request(`${line} HTTP/1.1`);
      await until("it is answered", () => client.head.split("HTTP/1.1 ").length === count + 2);
    }
  });
});

import { describe, expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import { serveHttp } from "./http-server.ts";
import { notTaken, type Route } from "./route.ts";
import { curl } from "./testing/curl.ts";
import { engines } from "./testing/engines.ts";

const media: Route = { methods: ["GET", "HEAD", "PUT", "DELETE"], readByAnyOrigin: true };
const api: Route = { methods: ["GET", "HEAD"], readByAnyOrigin: false };
const routeOf = (path: string) => {
  if (path.startsWith("/media/")) return media;
  return path === "/api" ? api : undefined;
};

const exposed =
  "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Last-Modified, " +
  "Repr-Digest";
const named = "https://named.example";
const other = "https://other.example";

/** A real server that knows one file, /media/a, which varies by itself too. */
const serve = (engine: (typeof engines)[number][1], origins: string[]) =>
  serveHttp({
    ...engine,
    hostname: "127.0.0.1",
    port: 0,
    cors: { origins, routeOf },
    fetch({ url, method }) {
      const { pathname } = new URL(url);
      const route = routeOf(pathname);
      if (route === undefined || !route.methods.includes(method)) {
        return notTaken(method, route, "look elsewhere");
      }
      if (pathname === "/media/gone") throw new DsmError("FILE_NOT_FOUND", "it is gone");
      return new Response("abc", { headers: { vary: "X-A" } });
    },
  });

type Asked = [method: string, path: string, ...headers: string[]];

describe.each(engines)("CORS through %s", (_name, engine) => {
  async function ask(origins: string[], [method, path, ...headers]: Asked) {
    await using server = await serve(engine, origins);
    const flags = method === "HEAD" ? ["-I"] : ["-X", method];
    const all = headers.flatMap((header) => ["-H", header]);
    const { status, headers: got } = await curl(...flags, ...all, `${server.url}${path}`);
    const value = (name: string) => got[name]?.join(", ");
    return {
      status,
      origin: value("access-control-allow-origin"),
      vary: value("vary"),
      value,
    };
  }

  test.each<[string[], Asked, number, string | undefined, string]>([
    // With `*` a read answers the same to all, with Origin or without: caches need not tell apart.
    [["*"], ["GET", "/media/a"], 200, "*", "X-A"],
    [["*"], ["GET", "/media/a", `Origin: ${other}`], 200, "*", "X-A"],
    [["*"], ["HEAD", "/media/a", "Origin: null"], 200, "*", "X-A"],
    [["*"], ["PUT", "/media/a", `Origin: ${other}`], 200, undefined, "X-A"],
    [["*"], ["GET", "/api", `Origin: ${other}`], 200, undefined, "X-A"],
    [["*", named], ["GET", "/media/a", `Origin: ${named}`], 200, "*", "X-A"],
    [["*", named], ["PUT", "/media/a", `Origin: ${named}`], 200, named, "X-A, Origin"],
    [["*", named], ["PUT", "/media/a", `Origin: ${other}`], 200, undefined, "X-A, Origin"],
    [["*", named], ["GET", "/api", `Origin: ${named}`], 200, named, "X-A, Origin"],
    [["*", named], ["GET", "/api", `Origin: ${other}`], 200, undefined, "X-A, Origin"],
    [[named], ["GET", "/media/a"], 200, undefined, "X-A, Origin"],
    [[named], ["GET", "/media/a", `Origin: ${named}`], 200, named, "X-A, Origin"],
    [[named], ["GET", "/media/a", `Origin: ${other}`], 200, undefined, "X-A, Origin"],
    [[named], ["GET", "/media/a", `Origin: ${named}.evil.example`], 200, undefined, "X-A, Origin"],
    [[], ["GET", "/media/a", `Origin: ${named}`], 200, undefined, "X-A"],
  ])("%p, asked %p", async (origins, asked, status, origin, vary) => {
    const answer = await ask(origins, asked);
    expect([answer.status, answer.origin, answer.vary]).toEqual([status, origin, vary]);
    const also = origin === undefined ? [undefined, undefined] : [exposed, "cross-origin"];
    expect([
      answer.value("access-control-expose-headers"),
      answer.value("cross-origin-resource-policy"),
    ]).toEqual(also);
    expect(answer.value("access-control-allow-credentials")).toBeUndefined();
  });

  test("a player may read why it got nothing", async () => {
    const gone = await ask(["*"], ["GET", "/media/gone", `Origin: ${other}`]);
    expect([gone.status, gone.origin]).toEqual([404, "*"]);
  });

  test.each<[string[], string, string, string, [string?, string?]]>([
    [["*"], "/media/a", other, "GET", ["*", "GET, HEAD"]],
    [["*"], "/media/a", other, "HEAD", ["*", "GET, HEAD"]],
    [["*"], "/media/a", other, "PUT", []],
    [["*"], "/media/a", other, "DELETE", []],
    [["*"], "/api", other, "GET", []],
    [["*", named], "/media/a", named, "PUT", [named, "GET, HEAD, PUT, DELETE"]],
    [["*", named], "/media/a", named, "DELETE", [named, "GET, HEAD, PUT, DELETE"]],
    [["*", named], "/media/a", other, "DELETE", []],
    [[named], "/media/a", other, "GET", []],
    [[named], "/api", named, "GET", [named, "GET, HEAD"]],
    [["*"], "/media/a", "null", "PUT", []],
  ])("a preflight where %p may, of %s by %s for %s", async (origins, path, origin, wanted, may) => {
    const asked: Asked = ["OPTIONS", path, `Origin: ${origin}`];
    asked.push(`Access-Control-Request-Method: ${wanted}`);
    asked.push("Access-Control-Request-Headers: range, if-range,authorization");
    const { status, value, vary } = await ask(origins, asked);
    expect([
      status,
      value("access-control-allow-origin"),
      value("access-control-allow-methods"),
      value("access-control-allow-headers"),
      value("access-control-max-age"),
    ]).toEqual(
      may.length === 0
        ? [204, undefined, undefined, undefined, undefined]
        : [204, ...may, "range, if-range,authorization", "7200"],
    );
    expect(vary).toBe("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
  });

  test.each(["a b", "x\u00e9", "a:b", `${"a".repeat(1025)}`])(
    "a preflight with %p for headers gets none back",
    async (names) => {
      const asked: Asked = ["OPTIONS", "/media/a", `Origin: ${other}`];
      asked.push("Access-Control-Request-Method: GET", `Access-Control-Request-Headers: ${names}`);
      const { status, value } = await ask(["*"], asked);
      expect([status, value("access-control-allow-headers")]).toEqual([204, undefined]);
    },
  );

  test("RFC 9110, section 9.3.7: OPTIONS says what there is, also to those who may nothing", async () => {
    const media204 = await ask([], ["OPTIONS", "/media/a"]);
    expect([media204.status, media204.value("allow"), media204.value("content-length")]).toEqual([
      204,
      "GET, HEAD, PUT, DELETE, OPTIONS",
      undefined,
    ]);
    const nowhere = await ask(["*"], ["OPTIONS", "/nowhere", `Origin: ${other}`]);
    expect([nowhere.status, nowhere.value("allow")]).toEqual([404, undefined]);
  });

  test.each(["POST", "PATCH", "TRACE", "PROPFIND"])(
    "RFC 9110, section 15.5.6: %s is 405 with Allow",
    async (method) => {
      const { status, value } = await ask(["*"], [method, "/media/a"]);
      expect([status, value("allow")]).toEqual([405, "GET, HEAD, PUT, DELETE, OPTIONS"]);
    },
  );
});

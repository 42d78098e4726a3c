import { describe, expect, test } from "bun:test";
import { type Cluster, startCluster } from "@dsm/cluster";
import { tempDir } from "@dsm/testkit";
import { shelf, shelfOnTargets } from "./shelf.ts";
import { targetNames } from "./targets.ts";
import { type Answer, type Field, fieldOf, fieldsOf, Wire } from "./wire.ts";

const targets = shelfOnTargets();
const player: Field = ["Origin", "https://player.example"];

const exposed = [
  "Accept-Ranges",
  "Content-Disposition",
  "Content-Length",
  "Content-Range",
  "ETag",
  "Last-Modified",
  "Repr-Digest",
];

const listOf = (answer: Answer, name: string) =>
  fieldsOf(answer, name)
    .flatMap((value) => value.split(","))
    .map((value) => value.trim().toLowerCase())
    .filter((value) => value !== "");

for (const name of targetNames) {
  const ask = (method: string, fileId: string, ...fields: Field[]) =>
    targets.named(name).ask({ method, fileId, fields });

  describe(`pages of other origins at ${name}`, () => {
    test("Fetch, 3.3.2: 200, 206, 304, 404, 412 and 416 may be read by any", async () => {
      const { fileId, etag } = shelf.small;
      const cases: ReadonlyArray<readonly [number, string, ...Field[]]> = [
        [200, fileId],
        [206, fileId, ["Range", "bytes=0-9"]],
        [206, fileId, ["Range", "bytes=0-9,5000-5009"]],
        [304, fileId, ["If-None-Match", etag]],
        [412, fileId, ["If-Match", '"x"']],
        [416, fileId, ["Range", "bytes=10000-"]],
        [404, "missing.mp4"],
      ];
      for (const [status, asked, ...fields] of cases) {
        const answer = await ask("GET", asked, player, ...fields);
        expect([answer.status, fieldOf(answer, "access-control-allow-origin")]).toEqual([
          status,
          "*",
        ]);
        expect(listOf(answer, "access-control-expose-headers")).toEqual(
          expect.arrayContaining(exposed.map((header) => header.toLowerCase())),
        );
        expect(fieldOf(answer, "access-control-allow-credentials")).toBeUndefined();
      }
    });

    test("Fetch, 3.3.3: a preflight for Range is granted, without any right", async () => {
      const answer = await targets.named(name).ask({
        method: "OPTIONS",
        fileId: shelf.small.fileId,
        isAnonymous: true,
        fields: [
          player,
          ["Access-Control-Request-Method", "GET"],
          ["Access-Control-Request-Headers", "range,if-range,if-none-match,x-own"],
        ],
      });
      expect([answer.status, answer.body.length]).toEqual([204, 0]);
      expect(fieldOf(answer, "access-control-allow-origin")).toBe("*");
      expect(listOf(answer, "access-control-allow-methods")).toEqual(
        expect.arrayContaining(["get", "head"]),
      );
      expect(listOf(answer, "access-control-allow-headers")).toEqual(
        expect.arrayContaining(["range", "if-range", "if-none-match"]),
      );
      expect(Number(fieldOf(answer, "access-control-max-age"))).toBeGreaterThan(0);
    });

    test("no page of any origin may write, unless it was named", async () => {
      for (const method of ["PUT", "DELETE"]) {
        const answer = await ask("OPTIONS", shelf.small.fileId, player, [
          "Access-Control-Request-Method",
          method,
        ]);
        const granted = fieldOf(answer, "access-control-allow-origin") !== undefined;
        const methods = listOf(answer, "access-control-allow-methods");
        expect([method, granted && methods.includes(method.toLowerCase())]).toEqual([
          method,
          false,
        ]);
        expect(methods).not.toContain("*");
      }
    });

    test("Fetch, 3.3.3: what is no list of names is not sent back", async () => {
      const answer = await ask(
        "OPTIONS",
        shelf.small.fileId,
        player,
        ["Access-Control-Request-Method", "GET"],
        ["Access-Control-Request-Headers", "range, <script>"],
      );
      expect(answer.status).toBe(204);
      expect(fieldOf(answer, "access-control-allow-headers") ?? "").not.toContain("<");
    });

    test("without an Origin the answer is the same, so that caches may keep one", async () => {
      const [with_, without] = [
        await ask("GET", shelf.small.fileId, player),
        await ask("GET", shelf.small.fileId),
      ];
      const of = (answer: Answer) => answer.fields.filter(([field]) => !/^date$/i.test(field));
      expect(of(with_)).toEqual(of(without));
    });
  });
}

describe("a gateway that names origins", () => {
  async function withOrigins(
    corsOrigins: readonly string[],
    work: (ask: (method: string, ...fields: Field[]) => Promise<Answer>) => Promise<void>,
  ): Promise<void> {
    await using dir = await tempDir();
    const cluster: Cluster = await startCluster({ dataDir: dir.path, corsOrigins });
    await using _ = cluster;
    await using wire = await Wire.connect(cluster.gateway.running.port);
    await work((method, ...fields) => {
      const lines = fields.map(([field, value]) => `${field}: ${value}\r\n`).join("");
      return wire.exchange(
        `${method} /media/ann/x.mp4 HTTP/1.1\r\nHost: x\r\n${lines}\r\n`,
        method,
      );
    });
  }

  test("Fetch, 3.3.2: it answers these by name, and says that it varies", () =>
    withOrigins(["https://player.example", "https://studio.example:8443"], async (ask) => {
      for (const origin of ["https://player.example", "https://studio.example:8443"]) {
        const answer = await ask("GET", ["Origin", origin]);
        expect([answer.status, fieldOf(answer, "access-control-allow-origin")]).toEqual([
          404,
          origin,
        ]);
        expect(listOf(answer, "vary")).toContain("origin");
      }
      for (const origin of [
        "https://evil.example",
        "null",
        "https://player.example.evil.example",
      ]) {
        const answer = await ask("GET", ["Origin", origin]);
        expect(fieldOf(answer, "access-control-allow-origin")).toBeUndefined();
        expect(listOf(answer, "vary")).toContain("origin");
      }
      expect(listOf(await ask("GET"), "vary")).toContain("origin");
    }));

  test("these may write, others may not", () =>
    withOrigins(["*", "https://studio.example"], async (ask) => {
      const preflight = (origin: string, method: string) =>
        ask("OPTIONS", ["Origin", origin], ["Access-Control-Request-Method", method]);
      const own = await preflight("https://studio.example", "PUT");
      expect(fieldOf(own, "access-control-allow-origin")).toBe("https://studio.example");
      expect(listOf(own, "access-control-allow-methods")).toEqual(
        expect.arrayContaining(["put", "delete"]),
      );
      const foreign = await preflight("https://evil.example", "PUT");
      const granted = fieldOf(foreign, "access-control-allow-origin") !== undefined;
      expect(granted && listOf(foreign, "access-control-allow-methods").includes("put")).toBe(
        false,
      );
      const reading = await preflight("https://evil.example", "GET");
      expect(fieldOf(reading, "access-control-allow-origin")).toBe("*");
    }));
});

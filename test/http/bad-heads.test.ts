import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  assertServes,
  isRefused,
  liveFile,
  LiveServers,
  liveUser,
  rssKib,
  said,
} from "./live-servers.ts";
import { Wire } from "./wire.ts";

setDefaultTimeout(60_000);

/** What thousands of bad requests may leave behind in a process: buffers that the heap kept. */
const growthMaxKib = 48 * 1024;
const path = `/media/${liveUser}/${liveFile.fileId}`;

for (const delivery of ["local", "proxy"] as const) {
  describe(`heads that are too much or too little, delivery ${delivery}`, () => {
    let servers: LiveServers;
    beforeAll(async () => {
      servers = await LiveServers.start(delivery);
    });
    afterAll(() => servers[Symbol.asyncDispose]());

    for (const name of ["gateway", "storage"]) {
      const get = (more: string) =>
        `GET ${path} HTTP/1.1\r\nHost: x\r\n${servers.named(name).rights("read")}${more}\r\n`;

      const floods = (): Record<string, string> => ({
        "10,000 fields": get(
          Array.from({ length: 10_000 }, (_, n) => `X-Flood-${n}: ${n}\r\n`).join(""),
        ),
        "one field of 1 MiB": get(`X-Flood: ${"a".repeat(1024 * 1024)}\r\n`),
        "a name of 100 kB": get(`${"a".repeat(100_000)}: 1\r\n`),
        "1,000 cookies": get("Cookie: a=b\r\n".repeat(1_000)),
        "a target of 1 MiB": `GET /${"a".repeat(1024 * 1024)} HTTP/1.1\r\nHost: x\r\n\r\n`,
        "a method of 100 kB": `${"A".repeat(100_000)} ${path} HTTP/1.1\r\nHost: x\r\n\r\n`,
        "1 MiB without a line": "a".repeat(1024 * 1024),
        "1 MiB of empty lines": "\r\n".repeat(512 * 1024),
        "1 MiB of zeros": "\0".repeat(1024 * 1024),
        "a TLS hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".padEnd(517, "\x55"),
        "an HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        "a version that is none": `GET ${path} HTTP/9.9\r\nHost: x\r\n\r\n`,
        "no version": `GET ${path}\r\nHost: x\r\n\r\n`,
        "two blanks": `GET  ${path} HTTP/1.1\r\nHost: x\r\n\r\n`,
        "a method with controls": `G\x01T ${path} HTTP/1.1\r\nHost: x\r\n\r\n`,
        "a NUL in a name": get("X-A\0: 1\r\n"),
        "a NUL in a value": get("X-A: a\0b\r\n"),
        "a NUL in Range": get("Range: bytes=0-\0\r\n"),
      });

      test(`none of them is answered but by a refusal, at the ${name}`, async () => {
        const faults: unknown[] = [];
        for (const [what, bytes] of Object.entries(floods())) {
          const answer = await said(servers.named(name), bytes);
          if (!isRefused(answer)) {
            faults.push([what, answer === "closed" ? answer : answer.status]);
          }
        }
        expect(faults).toEqual([]);
        await assertServes(servers.named(name));
      });

      test(`thousands of ranges cost no more than one file, at the ${name}`, async () => {
        for (const set of ["0-", "0-0", "-1", "0-19999", "5-6"]) {
          for (const count of [65, 1_000, 3_000]) {
            const ranges = Array.from({ length: count }, () => set).join(",");
            const answer = await said(servers.named(name), get(`Range: bytes=${ranges}\r\n`));
            if (answer === "closed") continue;
            expect([200, 206, 431]).toContain(answer.status);
            expect(answer.body.length).toBeLessThan(25_000);
          }
        }
      });

      test(`a GET that is cut anywhere has no answer, at the ${name}`, async () => {
        const whole = get("Range: bytes=5-9\r\n");
        const faults: unknown[] = [];
        for (let at = 0; at < whole.length; at++) {
          await using wire = await Wire.connect(servers.named(name).port);
          wire.send(whole.slice(0, at));
          wire.finish();
          const rest = (await wire.rest()).toString("latin1");
          if (rest !== "" && !/^HTTP\/1\.1 4\d\d /.test(rest)) faults.push([at, rest.slice(0, 80)]);
        }
        expect(faults).toEqual([]);
        await assertServes(servers.named(name));
      });

      test(`a PUT that is cut anywhere stores nothing, at the ${name}`, async () => {
        const rights = servers.named(name).rights("write");
        const head = `PUT /media/${liveUser}/cut-${name} HTTP/1.1\r\nHost: x\r\n${rights}`;
        // A chunked body is whole when its last chunk is there (RFC 9112, section 8), so the empty
        // line that ends the trailers is not among what is cut off.
        const bodies = [
          "Content-Length: 20\r\n\r\n12345678901234567890",
          "Transfer-Encoding: chunked\r\n\r\na\r\n1234567890\r\nA\r\n1234567890\r\n0\r\n",
        ];
        for (const body of bodies) {
          const whole = `${head}${body}`;
          // By the half that says "no more" and by a break, from the end of the first line on.
          for (let at = head.indexOf("\r\n"); at < whole.length; at++) {
            await using wire = await Wire.connect(servers.named(name).port);
            wire.send(whole.slice(0, at));
            if (at % 2 === 0) continue;
            wire.finish();
            const rest = (await wire.rest()).toString("latin1");
            expect([at, rest.startsWith("HTTP/1.1 2")]).toEqual([at, false]);
          }
        }
        await assertServes(servers.named(name));
        expect(await servers.fileIds()).toEqual([liveFile.fileId]);
      });

      test(`the memory of the ${name} stays flat under all of it`, async () => {
        const server = servers.named(name);
        // On empty lines a server may wait for ever, and so would this test each time.
        const { "1 MiB of empty lines": _, ...hasty } = floods();
        const all = Object.values(hasty);
        const round = async (times: number) => {
          for (let n = 0; n < times; n++)
            await Promise.all(all.map((bytes) => said(server, bytes)));
        };
        await round(30);
        const beforeKib = await rssKib(server.pid);
        await round(120);
        const growthKib = (await rssKib(server.pid)) - beforeKib;
        console.log(
          `${delivery} ${name}: ${120 * all.length} bad requests, RSS ${beforeKib} KiB + ${growthKib}`,
        );
        expect(growthKib).toBeLessThan(growthMaxKib);
        await assertServes(server);
      });
    }

    test("after all of it the cluster has the one file that it had", async () => {
      expect(await servers.fileIds()).toEqual([liveFile.fileId]);
    });
  });
}

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { assertServes, isRefused, liveFile, LiveServers, liveUser, said } from "./live-servers.ts";

setDefaultTimeout(60_000);

const canary = "CANARY-THAT-NOBODY-MAY-SEE";

/** Dots, slashes and ends of strings, in all the ways in which somebody has ever hidden them. */
const climbs = [
  "..",
  "../..",
  "%2e%2e",
  "%2E%2e",
  ".%2e",
  "..%2f..",
  "%2e%2e%2f%2e%2e",
  "..%5c..",
  "..\\..",
  "%252e%252e",
  "%c0%ae%c0%ae",
  "%e0%80%ae%e0%80%ae",
  "%f0%80%80%ae",
  "..%c0%af..",
  "%uff0e%uff0e",
  "..;",
  "..%00",
  "....//",
  ".%00.",
  "\xc0\xae\xc0\xae",
  "%2e%2e%3b",
  "..%0d%0a",
  ".",
  "%2e",
  "",
];

const intents = { GET: "read", HEAD: "read", PUT: "write", DELETE: "delete" } as const;
type Method = keyof typeof intents;
const reads = ["GET", "HEAD"] as const;

const climbing = climbs.flatMap((climb) => [
  `/media/${liveUser}/${climb}/canary`,
  `/media/${liveUser}/${climb}/${climb}/canary`,
  `/media/${liveUser}/a/${climb}/${climb}/${climb}/${climb}/canary`,
  `/media/${climb}/canary`,
  `/media/${climb}/${climb}/canary`,
  `/${climb}/canary`,
  `/media/${liveUser}/${climb}`,
]);

/** What is no name of a file, or names none that exists. */
const names = [
  "%00",
  "x.mp4%00",
  "x.mp4%00.txt",
  "%",
  "%2",
  "%zz",
  "x.mp4%",
  "%ff",
  "%c3",
  "%ed%a0%80",
  "%f8%88%80%80%80",
  "%0a",
  "%7f",
  "%c2%85",
  "/x.mp4",
  "x.mp4/",
  "x.mp4//",
  "a//b",
  "CLIP.MP4",
  "clip.mp4.",
  "clip.mp4%20",
  "%20clip.mp4",
  "clip.mp4;x",
  "clip.mp4:$DATA",
  "con",
  "*",
  "~",
  "$HOME",
  "`id`",
  "a".repeat(513),
  "%41".repeat(513),
];

describe("paths that lead nowhere", () => {
  const stack = new AsyncDisposableStack();
  const shapes = new Map<string, LiveServers>();
  const cases = ["local gateway", "proxy gateway", "local storage"] as const;
  const serverOf = (name: (typeof cases)[number]) => {
    const [delivery = "", role = ""] = name.split(" ");
    const servers = shapes.get(delivery)!;
    return { servers, server: servers.named(role) };
  };

  beforeAll(async () => {
    for (const delivery of ["local", "proxy"] as const) {
      const servers = stack.use(await LiveServers.start(delivery));
      shapes.set(delivery, servers);
      // Beside the store, inside it where no blob is, and where its own files are.
      const { dataDir } = servers.cluster;
      const root = servers.cluster.groupRoot();
      await mkdir(join(root, "blobs", "own"), { recursive: true });
      for (const folder of [
        dataDir,
        root,
        join(root, "blobs"),
        join(root, "journal"),
        join(root, "blobs", "own"),
      ]) {
        await Bun.write(join(folder, "canary"), canary);
      }
    }
  });
  afterAll(() => stack.disposeAsync());

  /** Each target by each method; no answer may be 2xx, 5xx or hold the canary. */
  async function faultsOf(
    name: (typeof cases)[number],
    targets: readonly string[],
    methods: readonly Method[] = ["GET", "HEAD", "PUT", "DELETE"],
  ): Promise<unknown[]> {
    const { server } = serverOf(name);
    const faults: unknown[] = [];
    for (const target of targets) {
      for (const method of methods) {
        const body = method === "PUT" ? "Content-Length: 1\r\n\r\nx" : "\r\n";
        const request = `${method} ${target} HTTP/1.1\r\nHost: x\r\n${server.rights(intents[method])}${body}`;
        const answer = await said(server, request, method);
        const leaks = answer !== "closed" && answer.body.includes(canary);
        const outcome = answer === "closed" ? answer : answer.status;
        if (!isRefused(answer) || leaks)
          faults.push({ target: target.slice(0, 100), method, outcome, leaks });
      }
    }
    return faults;
  }

  for (const name of cases) {
    test(`nothing outside can be read, at the ${name}`, async () => {
      expect(await faultsOf(name, climbing, reads)).toEqual([]);
      await assertServes(serverOf(name).server);
    });
  }

  for (const name of cases) {
    test(`nothing outside can be written, at the ${name}`, async () => {
      const { servers, server } = serverOf(name);
      const before = await servers.fileIds();
      // A URL is read by its rules: `/media/ann/a/../x` is another name of `/media/ann/x` (RFC
      // 3986, section 5.2.4), so a PUT there may make a file. It is one inside, and no other is
      // touched.
      await faultsOf(name, climbing, ["PUT"]);
      for (const file of ["canary", "blobs/canary", "blobs/own/canary", "journal/canary"]) {
        expect(await Bun.file(join(servers.cluster.groupRoot(), file)).text()).toBe(canary);
      }
      expect(await Bun.file(join(servers.cluster.dataDir, "canary")).text()).toBe(canary);
      const added = (await servers.fileIds()).filter((id) => !before.includes(id));
      expect(added.filter((id) => /(?:^|\/)\.{1,2}(?:\/|$)|\p{Cc}/u.test(id))).toEqual([]);
      await assertServes(server);
    });

    test(`what is no name is no file, at the ${name}`, async () => {
      const { server } = serverOf(name);
      const targets = names.map((file) => `/media/${liveUser}/${file}`);
      expect(await faultsOf(name, targets, reads)).toEqual([]);
      await assertServes(server);
    });

    test(`what cannot be a name is refused to a PUT too, at the ${name}`, async () => {
      const impossible = names.filter((file) =>
        /%00|%$|%2$|%zz|%ff|%c3$|%ed|%f8|%0a|%7f|%c2%85|^\/|\/$|\/\/|(?:a|%41){513}/.test(file),
      );
      expect(impossible.length).toBeGreaterThan(15);
      expect(
        await faultsOf(
          name,
          impossible.map((file) => `/media/${liveUser}/${file}`),
        ),
      ).toEqual([]);
      const users = [
        "",
        ".hidden",
        "a b",
        "a%20b",
        "a%2fb",
        "ann%00",
        "%00",
        "ä",
        "a".repeat(65),
        "..",
        "-:",
      ];
      expect(
        await faultsOf(
          name,
          users.map((user) => `/media/${user}/clip.mp4`),
        ),
      ).toEqual([]);
    });

    test(`absolute forms and long targets are no way in, at the ${name}`, async () => {
      const { server } = serverOf(name);
      const targets = [
        "http://x/../../canary",
        "http://x@y/media/../canary",
        "file:///etc/passwd",
        "//etc/passwd",
        "///media/ann/clip.mp4",
        "/media",
        "/media/",
        `/media/${liveUser}`,
        `/media/${liveUser}/`,
        "/MEDIA/ann/clip.mp4",
        "/.dsm-group",
        "/blobs/canary",
        `/media/${liveUser}/${"x/".repeat(4_000)}x`,
        `/media/${liveUser}/${"a".repeat(8_192)}`,
        `/media/${liveUser}/${"%F0%9F%8E%AC".repeat(1_000)}`,
        `/media/${liveUser}/x?${"q=1&".repeat(3_000)}`,
        `/media/${liveUser}/${"a".repeat(100_000)}`,
        `/${"%2e%2e/".repeat(1_000)}etc/passwd`,
      ];
      expect(await faultsOf(name, targets)).toEqual([]);
      await assertServes(server);
    });
  }

  for (const name of cases) {
    test(`a name in raw bytes is the one in escapes, or refused, at the ${name}`, async () => {
      const { servers, server } = serverOf(name);
      const encoded = `${servers.cluster.http}/media/${liveUser}/gr%C3%BCn.txt`;
      expect((await fetch(encoded, { method: "PUT", body: "green" })).ok).toBe(true);
      const get = async (file: string) => {
        const head = `GET /media/${liveUser}/${file} HTTP/1.1\r\nHost: x\r\n`;
        return said(server, `${head}${server.rights("read")}\r\n`);
      };
      // RFC 3986, section 2: a URI is ASCII; curl sends what it was given all the same.
      const raw = await get("gr\xc3\xbcn.txt");
      if (!isRefused(raw)) expect(raw).toMatchObject({ status: 200, body: Buffer.from("green") });
      for (const file of ["gr\xfcn.txt", "gr\xc3\xc3\xbcn.txt", "gr\xc3n.txt"]) {
        expect([file, isRefused(await get(file))]).toEqual([file, true]);
      }
    });
  }

  test("the only file that was there is as it was", async () => {
    for (const servers of shapes.values()) {
      expect(await servers.fileIds()).toContain(liveFile.fileId);
      for (const server of servers.all) await assertServes(server);
    }
  });
});

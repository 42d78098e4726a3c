import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Cluster, startCluster } from "@dsm/cluster";
import {
  type CapabilityClaims,
  clusterSecret,
  type FileInfo,
  mediaPath,
  signCapability,
} from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { noise, placedUser, placeFile } from "./placed-file.ts";
import { type Answer, fieldOf, fieldsOf, Wire } from "./wire.ts";

setDefaultTimeout(60_000);

const fileId = "film.mp4";
const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** What a request that carries it may be answered with when it is refused, and the reason. */
interface Refusal {
  readonly status: number;
  readonly why: string;
}

describe("capabilities at the data port", () => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;
  let file: FileInfo;

  beforeAll(async () => {
    const dir = stack.use(await tempDir());
    cluster = stack.use(await startCluster({ dataDir: dir.path, reserveBytes: 0 }));
    file = await placeFile(cluster, { fileId, content: noise(500), modifiedAtMs: 1 });
    await placeFile(cluster, { fileId: "other.mp4", content: noise(400), modifiedAtMs: 1 });
  });
  afterAll(() => stack.disposeAsync());

  const sign = (claims: Partial<CapabilityClaims> = {}, secret = cluster.secret) =>
    signCapability(clusterSecret(secret), {
      intent: "read",
      user: placedUser,
      group: "g1",
      expiresAtMs: Date.now() + 60_000,
      ...claims,
    });

  /** One request; a PUT has a body of one byte. */
  async function ask(
    authorization: string,
    { method = "GET", target = mediaPath(placedUser, fileId) } = {},
  ): Promise<Answer> {
    await using wire = await Wire.connect(cluster.storages[0]!.running.port);
    const body = method === "PUT" ? "Content-Length: 1\r\n\r\nx" : "\r\n";
    const head = `${method} ${target} HTTP/1.1\r\nHost: x\r\n`;
    return await wire.exchange(`${head}${authorization}${body}`, method);
  }

  const bearer = (token: string) => `Authorization: Bearer ${token}\r\n`;

  async function refusal(authorization: string, options = {}): Promise<Refusal> {
    const { status, body } = await ask(authorization, options);
    const problem = body.length > 0 ? (JSON.parse(body.toString()) as { detail?: string }) : {};
    return { status, why: problem.detail ?? "" };
  }

  test("a good one is taken, or all that follows would prove nothing", async () => {
    expect((await ask(bearer(sign()))).status).toBe(200);
    expect((await ask(bearer(sign({ fileId })))).status).toBe(200);
    expect((await ask(bearer(sign({ fileId, file })))).status).toBe(200);
    const put = await ask(bearer(sign({ intent: "write", fileId: "new" })), {
      method: "PUT",
      target: mediaPath(placedUser, "new"),
    });
    expect(put.status).toBe(201);
    const gone = await ask(bearer(sign({ intent: "delete", fileId: "new" })), {
      method: "DELETE",
      target: mediaPath(placedUser, "new"),
    });
    expect(gone.status).toBe(204);
  });

  test("without one, or with what is none, it is 401 and names the scheme", async () => {
    const none = [
      "",
      "Authorization: Basic YTpi\r\n",
      "Authorization: Bearer\r\n",
      "Cookie: a=b\r\n",
    ];
    for (const authorization of none) {
      const answer = await ask(authorization);
      expect([authorization, answer.status]).toEqual([authorization, 401]);
      // RFC 9110, section 15.5.2.
      expect(fieldOf(answer, "www-authenticate")).toMatch(/^Bearer\b/);
      expect(fieldOf(answer, "cache-control")).toBe("no-store");
    }
  });

  test("with any character changed, dropped or added it is 403", async () => {
    const token = sign({ fileId });
    const dot = token.indexOf(".");
    const changed = [...token].flatMap((char, at) => {
      const other = base64url[(base64url.indexOf(char) + 1) % base64url.length] ?? "";
      return [
        token.slice(0, at) + other + token.slice(at + 1),
        token.slice(0, at) + token.slice(at + 1),
      ];
    });
    // The last character of a signature has two bits that say nothing: none may be forgiven.
    const last = [...base64url]
      .map((char) => token.slice(0, -1) + char)
      .filter((it) => it !== token);
    const others = [`${token}A`, `A${token}`, `${token}.`, `${token}.x`, `${token}=`, ".", "a.b"];
    const halves = [token.slice(0, dot), token.slice(dot), `${token.slice(0, dot)}.`];
    const accepted: string[] = [];
    for (const tampered of [...changed, ...last, ...others, ...halves]) {
      const { status, why } = await refusal(bearer(tampered));
      if (status !== 403 || !why.includes("capability is refused"))
        accepted.push(`${status} ${tampered}`);
    }
    expect(accepted).toEqual([]);
    expect((await refusal(bearer(last[0] ?? ""))).why).toContain("signature");
  });

  test("expired, of another secret or another claim it is 403 with the reason", async () => {
    const foreign = sign({}, "another secret of at least 32 characters");
    const cases: ReadonlyArray<readonly [string, RegExp]> = [
      [sign({ expiresAtMs: Date.now() - 1 }), /expired/],
      [sign({ expiresAtMs: 0 }), /expired/],
      [foreign, /signature/],
      [sign({ user: "somebody" }), /another user/],
      [sign({ group: "g2" }), /group g2/],
      [sign({ fileId: "other.mp4" }), /another file/],
      [sign({ fileId: "film.mp" }), /another file/],
      [sign({ intent: "write" }), /write only/],
      [sign({ intent: "delete" }), /delete only/],
    ];
    for (const [token, reason] of cases) {
      const got = await refusal(bearer(token));
      expect(got).toEqual({ status: 403, why: expect.stringMatching(reason) });
    }
  });

  test("replayed for another method it is 403, and nothing has changed", async () => {
    const before = await cluster.catalog.current(placedUser, fileId);
    const methods = { GET: "read", HEAD: "read", PUT: "write", DELETE: "delete" } as const;
    for (const [method, right] of Object.entries(methods)) {
      for (const intent of ["read", "write", "delete"] as const) {
        if (intent === right) continue;
        const { status } = await ask(bearer(sign({ intent, fileId })), { method });
        expect([method, intent, status]).toEqual([method, intent, 403]);
      }
    }
    expect(await cluster.catalog.current(placedUser, fileId)).toEqual(before);
  });

  test("of another file of the same reader it opens no other by any spelling", async () => {
    const token = sign({ fileId: "other.mp4" });
    const spellings = [
      "film.mp4",
      "./film.mp4",
      "other.mp4/../film.mp4",
      "other.mp4%2f..%2ffilm.mp4",
      "%66ilm.mp4",
      "film.mp4?other.mp4",
      "film.mp4?fileId=other.mp4",
    ];
    for (const spelling of spellings) {
      const { status } = await ask(bearer(token), { target: `/media/${placedUser}/${spelling}` });
      expect([spelling, [400, 403, 404].includes(status)]).toEqual([spelling, true]);
    }
  });

  test("in the URL it reads and never writes, and two are refused", async () => {
    const inUrl = (...tokens: string[]) => {
      const query = tokens.map((token) => `capability=${token}`).join("&");
      return `${mediaPath(placedUser, fileId)}?${query}`;
    };
    const read = sign({ fileId });
    expect((await ask("", { target: inUrl(read) })).status).toBe(200);
    for (const [method, intent] of [
      ["PUT", "write"],
      ["DELETE", "delete"],
    ] as const) {
      const target = inUrl(sign({ intent, fileId }));
      expect((await ask("", { method, target })).status).toBe(401);
    }
    expect((await ask("", { target: inUrl(read, read) })).status).toBe(400);
    expect((await ask(bearer(read), { target: inUrl(read) })).status).toBe(400);
    expect((await ask("", { target: inUrl(sign({ fileId: "other.mp4" })) })).status).toBe(403);
    expect((await ask("", { target: inUrl(`${read}x`) })).status).toBe(403);
    expect((await ask("", { target: inUrl("") })).status).toBeGreaterThanOrEqual(401);
  });

  test("two Authorization lines are no capability", async () => {
    const token = sign({ fileId });
    const answer = await ask(`${bearer(token)}${bearer(token)}`);
    expect([401, 403, 400]).toContain(answer.status);
    expect(fieldsOf(answer, "etag")).toEqual([]);
  });

  test("a refusal tells nothing of the file: it is the same for one that is missing", async () => {
    const token = sign({ user: "somebody" });
    const there = await ask(bearer(token));
    const missing = await ask(bearer(token), { target: mediaPath(placedUser, "missing.mp4") });
    expect([there.status, missing.status]).toEqual([403, 403]);
    expect(missing.body.toString()).toBe(there.body.toString());
  });
});

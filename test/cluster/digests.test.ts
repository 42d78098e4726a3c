import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect as connectH2 } from "node:http2";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { bytesSource, DsmClient, streamSource } from "@dsm/client";
import { systemClock } from "@dsm/clock";
import { type Cluster, startCluster } from "@dsm/cluster";
import { clusterSecret, digestAtEnd, DsmError, signCapability } from "@dsm/protocol";
import { dialTcp } from "@dsm/rpc";
import { jsonOf, makeCertificate, tempDir } from "@dsm/testkit";

setDefaultTimeout(60_000);

const digestOf = (text: string, algorithm: "sha256" | "sha512" = "sha256") =>
  Bun.CryptoHasher.hash(algorithm, text, "base64");
const right = `sha-256=:${digestOf("hello")}:`;
const wrong = `sha-256=:${digestOf("hullo")}:`;
const foreign = `sha-512=:${digestOf("hello", "sha512")}:`;

interface Said {
  readonly status: number;
  readonly code: string;
}

type Put = (cluster: Cluster, path: string, trailer: readonly [string, string]) => Promise<Said>;

/** A chunked PUT of `hello` with that trailer, over HTTP/1.1. */
async function putChunked(
  { http }: Cluster,
  path: string,
  [name, value]: readonly [string, string],
): Promise<Said> {
  const { protocol, hostname: host, port } = new URL(http);
  const address = { host, port: Number(port), rejectUnauthorized: false };
  const socket = protocol === "https:" ? connectTls(address) : connect(address);
  socket.write(
    `PUT ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `5\r\nhello\r\n0\r\n${name}: ${value}\r\n\r\n`,
  );
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return saidBy(Number(text.slice(9, 12)), text);
}

/** The same over HTTP/2, with or without the length of what comes. */
function putByH2(more: Record<string, string>): Put {
  return async ({ http }, path, [name, value]) => {
    const session = connectH2(http, { rejectUnauthorized: false });
    const head = { ":method": "PUT", ":path": path, ...more };
    const stream = session.request(head, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ [name]: value }));
    let status = 0;
    stream.on("response", (fields) => (status = Number(fields[":status"])));
    stream.end("hello");
    let text = "";
    for await (const chunk of stream) text += String(chunk);
    session.close();
    return saidBy(status, text);
  };
}

function saidBy(status: number, text: string): Said {
  return { status, code: /"code":"(\w+)"/.exec(text)?.[1] ?? "" };
}

const ways: ReadonlyArray<readonly [string, "http" | "https", Put]> = [
  ["HTTP/1.1", "http", putChunked],
  ["HTTP/1.1 over TLS", "https", putChunked],
  ["HTTP/2", "https", putByH2({})],
  ["HTTP/2 with a length", "https", putByH2({ "content-length": "5" })],
];

describe("a digest that a client sends", () => {
  const stack = new AsyncDisposableStack();
  let clusters: Record<"http" | "https", Cluster>;

  beforeAll(async () => {
    const dir = stack.use(await tempDir());
    const paths = { tlsCert: `${dir.path}/cert.pem`, tlsKey: `${dir.path}/key.pem` };
    const { cert, key } = makeCertificate();
    await Bun.write(paths.tlsCert, cert);
    await Bun.write(paths.tlsKey, key);
    const start = async (name: string, more: object) =>
      stack.use(await startCluster({ dataDir: `${dir.path}/${name}`, delivery: "proxy", ...more }));
    clusters = { http: await start("plain", {}), https: await start("tls", paths) };
  });
  afterAll(() => stack.disposeAsync());

  test.each(ways)("is checked before the commit, in trailers of %s", async (way, scheme, put) => {
    const cluster = clusters[scheme];
    await using client = cluster.client();
    const said: unknown[] = [];
    for (const trailer of [
      ["repr-digest", wrong],
      ["content-digest", wrong],
      ["repr-digest", "sha-256=hello"],
      ["repr-digest", foreign],
      ["repr-digest", right],
      ["x-trailer", "1"],
    ] as const) {
      const fileId = `${way}, ${trailer.join(" ")}`.replaceAll("/", " ");
      const { status, code } = await put(
        cluster,
        `/media/ann/${encodeURIComponent(fileId)}`,
        trailer,
      );
      const file = await client.stat("ann", fileId).catch(() => undefined);
      said.push([status, code, file?.sizeBytes]);
    }
    expect(said).toEqual([
      [422, "DIGEST_MISMATCH", undefined],
      [422, "DIGEST_MISMATCH", undefined],
      [400, "BAD_REQUEST", undefined],
      [400, "DIGEST_UNSUPPORTED", undefined],
      [201, "", 5],
      [201, "", 5],
    ]);
  });

  test("by an algorithm that is not checked is refused, and told of one that is", async () => {
    const put = (fileId: string, headers: Record<string, string>) =>
      fetch(`${clusters.http.http}/media/ben/${fileId}`, { method: "PUT", body: "hello", headers });
    for (const name of ["Repr-Digest", "Content-Digest"]) {
      const refused = await put("foreign", { [name]: foreign });
      const told = refused.headers.get("Want-Repr-Digest");
      expect([refused.status, (await jsonOf(refused)).code, told]).toEqual([
        400,
        "DIGEST_UNSUPPORTED",
        "sha-256=10",
      ]);
    }
    expect((await put("both", { "Repr-Digest": `${foreign}, ${right}` })).status).toBe(201);
    const two = { "Repr-Digest": foreign, "Content-Digest": wrong };
    expect((await put("two", two)).status).toBe(422);
    // RFC 9530 obsoletes Digest, and RFC 7231 took Content-MD5 away.
    const old = {
      "Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA==",
      Digest: `SHA-512=${"A".repeat(86)}==`,
    };
    expect((await put("old", old)).status).toBe(201);
    await using client = clusters.http.client();
    const { files } = await client.list({ user: "ben", limit: 10 });
    expect(files.map(({ fileId }) => fileId)).toEqual(["both", "old"]);
  });
});

/** A client whose network turns one bit of what it sends to storages, and tells what it asked. */
function faultyClient({ trackerEndpoints, secret }: Cluster, digests: Array<string | null>) {
  async function* turned(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let turn = 1;
    for await (const chunk of body) {
      const copy = Uint8Array.from(chunk);
      copy[0]! ^= turn;
      turn = 0;
      yield copy;
    }
  }
  const fetchTurned = (url: URL, init: RequestInit): Promise<Response> => {
    digests.push(new Headers(init.headers).get("Repr-Digest"));
    const body = turned(init.body as unknown as AsyncIterable<Uint8Array>);
    return fetch(url, { ...init, body });
  };
  const random = () => Math.random();
  const surroundings = { clock: systemClock, random, dial: dialTcp, fetch: fetchTurned };
  return new DsmClient({ trackers: trackerEndpoints, secret, surroundings });
}

describe("a digest that is known only at the end of an upload", () => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;

  beforeAll(async () => {
    const dir = stack.use(await tempDir());
    cluster = stack.use(await startCluster({ dataDir: dir.path }));
    await using client = cluster.client();
    await client.upload({ user: "ann", fileId: "first", source: bytesSource(new Uint8Array(1)) });
  });
  afterAll(() => stack.disposeAsync());

  test.each([0, 1, 5, 32, 3 * 1024 * 1024])(
    "a stream of %d bytes is stored whole",
    async (size) => {
      await using client = cluster.client();
      const content = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
      const stream = (async function* () {
        for (let sent = 0; sent < size; sent += content.length) yield content;
      })();
      const fileId = `stream-${size}`;
      const { file } = await client.upload({ user: "ann", fileId, source: streamSource(stream) });
      expect(file.sizeBytes).toBe(size);
      const got = await (await fetch(`${cluster.http}/media/ann/${fileId}`)).bytes();
      expect(Bun.SHA256.hash(got, "hex")).toBe(file.sha256);
    },
  );

  test("bytes that changed on the way to a storage are refused before the commit", async () => {
    const digests: Array<string | null> = [];
    await using client = faultyClient(cluster, digests);
    const stream = (async function* () {
      yield Buffer.from("hello");
    })();
    const failure = await client
      .upload({ user: "ann", fileId: "turned", source: streamSource(stream) })
      .catch((error: unknown) => error);
    expect([(failure as DsmError).code, digests]).toEqual(["DIGEST_MISMATCH", [digestAtEnd]]);
    expect((failure as DsmError).remedy).toContain("nothing was stored");
    expect((await fetch(`${cluster.http}/media/ann/turned`)).status).toBe(404);
  });

  test("the bytes behind the file are for the data port and for who may write", async () => {
    const sha256 = Bun.SHA256.hash("hello") as Uint8Array;
    const put = async (origin: string, body: Uint8Array, headers: Record<string, string> = {}) => {
      const response = await fetch(`${origin}/media/ann/behind`, {
        method: "PUT",
        headers: { "Repr-Digest": digestAtEnd, ...headers },
        body: (async function* () {
          yield body;
        })(),
      });
      return [response.status, (await jsonOf(response)).code];
    };
    const expiresAtMs = Date.now() + 60_000;
    const secret = clusterSecret(cluster.secret);
    const rights = (intent: "read" | "write") => ({
      Authorization: `Bearer ${signCapability(secret, { intent, user: "ann", group: "g1", expiresAtMs })}`,
    });
    const whole = Buffer.concat([Buffer.from("hello"), sha256]);
    const port = cluster.storages[0]!.running.dataUrl;
    expect([
      await put(cluster.http, whole),
      await put(port, whole),
      await put(port, whole, rights("read")),
      await put(port, Buffer.concat([Buffer.from("hullo"), sha256]), rights("write")),
      await put(port, Buffer.from("short"), rights("write")),
    ]).toEqual([
      [400, "BAD_REQUEST"],
      [401, "UNAUTHENTICATED"],
      [403, "FORBIDDEN"],
      [422, "DIGEST_MISMATCH"],
      [400, "UPLOAD_INCOMPLETE"],
    ]);
    expect((await fetch(`${cluster.http}/media/ann/behind`)).status).toBe(404);
    expect((await put(port, whole, rights("write")))[0]).toBe(201);
    expect(await (await fetch(`${cluster.http}/media/ann/behind`)).text()).toBe("hello");
  });
});

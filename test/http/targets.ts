import { join } from "node:path";
import { type Cluster, startCluster } from "@dsm/cluster";
import { clusterSecret, mediaPath, signCapability } from "@dsm/protocol";
import { makeCertificate, tempDir } from "@dsm/testkit";
import { Http2Line } from "./http2-line.ts";
import { placedUser, placeFile, type Placing } from "./placed-file.ts";
import { type Answer, type Field, fieldOf, Wire, WireError } from "./wire.ts";

export interface Asked {
  /** GET unless given. */
  readonly method?: string;
  readonly fileId: string;
  /** With its question mark. */
  readonly query?: string;
  readonly fields?: readonly Field[];
  /** Without what gives the right to it. */
  readonly isAnonymous?: boolean;
}

/** One of the servers that answer for a file: the suites run against each of them. */
export interface Target {
  readonly name: string;
  readonly cluster: Cluster;
  readonly port: number;
  /** Bun.serve sends files from the kernel, node:http any stream with its length (docs/BUN.md). */
  readonly engine: "sendfile" | "stream";
  /** In HTTP/2 a field is sent once, and what is of a connection is not sent. */
  readonly protocol: "HTTP/1.1" | "HTTP/2";
  /** What its answers with a file say to caches: a capability is for its holder. */
  readonly cacheControl: string;
  /** The request target and the fields that give the right to this request. */
  address(asked: Asked): { readonly target: string; readonly fields: readonly Field[] };
  /** Follows a redirect; all else is left as it came. */
  ask(asked: Asked): Promise<Answer>;
}

/** A request in the words of HTTP/1.1, with Host and without a body. */
export function requestText(target: Target, asked: Asked): string {
  const { method = "GET", fields = [] } = asked;
  const address = target.address(asked);
  const lines = [...address.fields, ...fields].map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${address.target} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\n${lines.join("")}\r\n`;
}

const modes = ["local", "proxy", "redirect"] as const;

/** The clusters that stand behind the targets, with the same files in each. */
export class Targets implements AsyncDisposable {
  readonly all: readonly Target[];
  readonly #stack: AsyncDisposableStack;
  readonly #clusters: readonly Cluster[];

  private constructor(
    stack: AsyncDisposableStack,
    clusters: readonly Cluster[],
    all: readonly Target[],
  ) {
    this.#stack = stack;
    this.#clusters = clusters;
    this.all = all;
  }

  static async start(): Promise<Targets> {
    await using stack = new AsyncDisposableStack();
    const clusters: Cluster[] = [];
    const all: Target[] = [];
    for (const delivery of modes) {
      const dir = stack.use(await tempDir());
      const options = { dataDir: dir.path, delivery, reserveBytes: 0 };
      const cluster = stack.use(await startCluster(options));
      clusters.push(cluster);
      if (delivery === "local") all.push(stack.use(new StorageTarget(cluster)));
      all.push(stack.use(new GatewayTarget(cluster, delivery)));
    }
    const dir = stack.use(await tempDir());
    const options = { dataDir: dir.path, delivery: "proxy", reserveBytes: 0 } as const;
    const cluster = stack.use(await startCluster({ ...options, ...(await tlsIn(dir.path)) }));
    clusters.push(cluster);
    all.push(stack.use(new Http2Target(cluster)));
    return new Targets(stack.move(), clusters, all);
  }

  /** The same file in all clusters. */
  async place(placing: Placing): Promise<void> {
    for (const cluster of this.#clusters) await placeFile(cluster, placing);
  }

  named(name: string): Target {
    const found = this.all.find((target) => target.name === name);
    if (found === undefined) throw new Error(`there is no target ${name}`);
    return found;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** The names of all targets, known before any is started: tests are made from them. */
export const targetNames = ["storage", ...modes.map((mode) => `gateway ${mode}`), "gateway HTTP/2"];

/** Those that answer by themselves and in clear text: a bare connection is enough for them. */
export const directNames = ["storage", "gateway local", "gateway proxy"];

/** A certificate of its own, in files. */
async function tlsIn(folder: string): Promise<{ tlsCert: string; tlsKey: string }> {
  const { cert, key } = makeCertificate();
  const [tlsCert, tlsKey] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  await Promise.all([Bun.write(tlsCert, cert), Bun.write(tlsKey, key)]);
  return { tlsCert, tlsKey };
}

/** Keeps one connection alive, and opens another where the server has closed it. */
class Line implements AsyncDisposable {
  #wire: Wire | undefined;

  async exchange(port: number, request: string, method: string): Promise<Answer> {
    if (this.#wire?.isOver === true) await this.#close();
    this.#wire ??= await Wire.connect(port);
    try {
      const answer = await this.#wire.exchange(request, method);
      if (fieldOf(answer, "connection")?.toLowerCase() === "close") await this.#close();
      return answer;
    } catch (error) {
      await this.#close();
      if (error instanceof WireError) throw new Error(`no answer to ${request}`, { cause: error });
      throw error;
    }
  }

  async #close(): Promise<void> {
    await this.#wire?.[Symbol.asyncDispose]();
    this.#wire = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}

/** The data port of a storage, with a capability that the test signs as a tracker does. */
class StorageTarget implements Target, AsyncDisposable {
  readonly name = "storage";
  readonly engine = "sendfile";
  readonly protocol = "HTTP/1.1";
  readonly cacheControl = "private, no-cache";
  readonly cluster: Cluster;
  readonly #line = new Line();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  get port(): number {
    return this.cluster.storages[0]!.running.port;
  }

  address({ fileId, query = "", isAnonymous = false }: Asked) {
    const right: Field = ["Authorization", `Bearer ${readCapability(this.cluster)}`];
    return {
      target: `${mediaPath(placedUser, fileId)}${query}`,
      fields: isAnonymous ? [] : [right],
    };
  }

  ask(asked: Asked): Promise<Answer> {
    return this.#line.exchange(this.port, requestText(this, asked), asked.method ?? "GET");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#line[Symbol.asyncDispose]();
  }
}

function readCapability(cluster: Cluster): string {
  return signCapability(clusterSecret(cluster.secret), {
    intent: "read",
    user: placedUser,
    group: "g1",
    expiresAtMs: Date.now() + 600_000,
  });
}

/** The gateway, in one of its ways to deliver. */
class GatewayTarget implements Target, AsyncDisposable {
  readonly name: string;
  readonly engine: "sendfile" | "stream";
  readonly protocol = "HTTP/1.1";
  readonly cacheControl = "no-cache";
  readonly cluster: Cluster;
  readonly #line = new Line();
  readonly #followed = new Line();

  constructor(cluster: Cluster, delivery: (typeof modes)[number]) {
    this.cluster = cluster;
    this.name = `gateway ${delivery}`;
    // Of a redirect the storage sends the bytes.
    this.engine = delivery === "proxy" ? "stream" : "sendfile";
  }

  get port(): number {
    return this.cluster.gateway.running.port;
  }

  address({ fileId, query = "" }: Asked) {
    return { target: `${mediaPath(placedUser, fileId)}${query}`, fields: [] };
  }

  async ask(asked: Asked): Promise<Answer> {
    const { method = "GET" } = asked;
    const answer = await this.#line.exchange(this.port, requestText(this, asked), method);
    if (answer.status !== 307) return answer;
    const location = new URL(fieldOf(answer, "location") ?? "");
    const lines = [["Host", location.host] as const, ...(asked.fields ?? [])];
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const request = `${method} ${location.pathname}${location.search} HTTP/1.1\r\n${head}\r\n`;
    return this.#followed.exchange(Number(location.port), request, method);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#line[Symbol.asyncDispose]();
    await this.#followed[Symbol.asyncDispose]();
  }
}

/** The gateway by HTTP/2 over TLS. */
class Http2Target implements Target, AsyncDisposable {
  readonly name = "gateway HTTP/2";
  readonly engine = "stream";
  readonly protocol = "HTTP/2";
  readonly cacheControl = "no-cache";
  readonly cluster: Cluster;
  readonly #line = new Http2Line();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  get port(): number {
    return this.cluster.gateway.running.port;
  }

  address({ fileId, query = "" }: Asked) {
    return { target: `${mediaPath(placedUser, fileId)}${query}`, fields: [] };
  }

  ask(asked: Asked): Promise<Answer> {
    const { method = "GET", fields = [] } = asked;
    return this.#line.exchange(this.port, method, this.address(asked).target, fields);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#line[Symbol.asyncDispose]();
  }
}

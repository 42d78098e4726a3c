import { join } from "node:path";
import { bytesSource, DsmClient } from "@dsm/client";
import { collect, until } from "@dsm/testkit";
import type { DsmProcesses, RoleProcess, Software } from "../processes/dsm-processes.ts";

type LoopName = "sdk" | "http" | "command" | "film";

const film = {
  fileId: "film",
  content: Buffer.from(crypto.getRandomValues(new Uint8Array(65_521)).toBase64().repeat(46)),
  bytesPerSecond: 4_000_000,
};

/** Uploads and reads that go on, by every road, while a cluster is changed below them. */
export class Operations implements AsyncDisposable {
  readonly done: Record<LoopName, number> = { sdk: 0, http: 0, command: 0, film: 0 };
  /** One line for each operation that did not do what it should. */
  readonly failures: string[] = [];
  /** Of the last version of each file, by its id. */
  readonly sha256 = new Map<string, string>();
  readonly #cluster: DsmProcesses;
  readonly #client: DsmClient;
  readonly #commands: readonly Software[];
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[];
  #front: RoleProcess;
  #begun = 0;

  /** @param commands the versions of `dsm` that take turns as the client of the command loop */
  constructor(cluster: DsmProcesses, commands: readonly Software[]) {
    this.#cluster = cluster;
    this.#commands = commands;
    this.#front = cluster.gateway;
    const trackers = cluster.trackers.map((tracker) => tracker.endpoint);
    this.#client = new DsmClient({ trackers, secret: cluster.secret });
    this.#loops = [
      this.#loop("sdk", (...file) => this.#bySdk(...file)),
      this.#loop("http", (...file) => this.#byHttp(...file)),
      this.#loop("command", (...file) => this.#byCommand(...file)),
      this.#playFilm(),
    ];
  }

  /** As a virtual address does: new requests go to this gateway, those under way end first. */
  async moveTo(gateway: RoleProcess): Promise<void> {
    this.#front = gateway;
    const before = this.#begun;
    await until("the other gateway has answered all", () => this.#begun !== before);
  }

  /** Waits until every loop has done so many operations more, and the film was read once. */
  async goOn(operations = 2): Promise<void> {
    const before = { ...this.done };
    await until("operations go on", () =>
      Object.entries(this.done).every(
        ([name, count]) => count >= before[name as LoopName] + (name === "film" ? 1 : operations),
      ),
    );
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#client[Symbol.asyncDispose]();
  }

  async #loop(name: LoopName, step: (fileId: string, content: Buffer) => Promise<void>) {
    for (let n = 0; !this.#stop.signal.aborted; n++) {
      // The same few ids again and again: most uploads replace a version.
      const fileId = `${name}/${n % 7}`;
      const content = Buffer.from(
        crypto.getRandomValues(new Uint8Array(1 + ((n * 7919) % 60_000))),
      );
      try {
        await step(fileId, content);
        this.sha256.set(fileId, Bun.SHA256.hash(content, "hex"));
      } catch (error) {
        this.failures.push(`${name} ${n}: ${String(error)}`);
        this.sha256.delete(fileId);
      }
      this.done[name]++;
      await Bun.sleep(10);
    }
  }

  /** At the pace of a player, so that processes end while they send it. */
  async #playFilm(): Promise<void> {
    const file = { user: "ann", fileId: film.fileId };
    await this.#client.upload({ ...file, source: bytesSource(film.content) });
    for (; !this.#stop.signal.aborted; this.done.film++) {
      const url = `http://${this.#front.endpoint}/media/ann/${film.fileId}`;
      const road = this.done.film % 2 === 0 ? "SDK" : "gateway";
      try {
        const body =
          road === "SDK" ? (await this.#client.open(file)).body : (await fetch(url)).body;
        let at = 0;
        for await (const chunk of body ?? []) {
          const expected = film.content.subarray(at, at + chunk.length);
          if (!expected.equals(chunk)) throw new Error(`other bytes from ${at} on`);
          at += chunk.length;
          await Bun.sleep((1_000 * chunk.length) / film.bytesPerSecond);
        }
        if (at !== film.content.length) throw new Error(`it ended after ${at} bytes`);
      } catch (error) {
        this.failures.push(`film by ${road}: ${String(error)}`);
      }
    }
  }

  async #bySdk(fileId: string, content: Buffer): Promise<void> {
    const file = { user: "ann", fileId };
    await this.#client.upload({ ...file, source: bytesSource(content), overwrite: true });
    const { body } = await this.#client.open(file);
    if (!content.equals(await collect(body))) throw new Error("other bytes came back");
  }

  async #byHttp(fileId: string, content: Buffer): Promise<void> {
    this.#begun++;
    const url = `http://${this.#front.endpoint}/media/ann/${fileId}`;
    const put = await fetch(url, { method: "PUT", body: content, keepalive: false });
    if (!put.ok) throw new Error(`PUT: ${put.status} ${await put.text()}`);
    const from = content.length >> 1;
    const headers = { Range: `bytes=${from}-`, "If-Range": put.headers.get("ETag") ?? "" };
    const got = await fetch(url, { headers, keepalive: false });
    if (got.status !== 206) throw new Error(`GET: ${got.status} ${await got.text()}`);
    if (!content.subarray(from).equals(await got.bytes())) throw new Error("other bytes came back");
  }

  async #byCommand(fileId: string, content: Buffer): Promise<void> {
    const software = this.#commands[this.done.command % this.#commands.length] ?? [];
    const path = join(this.#cluster.dataDir, "command-input");
    await Bun.write(path, content);
    const file = ["--user", "ann"];
    await this.#run(software, "upload", path, "--id", fileId, "--overwrite", ...file);
    await this.#run(software, "download", fileId, ...file, "-o", `${path}.back`);
    const back = await Bun.file(`${path}.back`).bytes();
    if (!content.equals(back)) throw new Error("other bytes came back");
    await Bun.file(`${path}.back`).delete();
  }

  async #run(software: Software, ...args: string[]): Promise<void> {
    const { code, stderr } = await this.#cluster.runWith(software, ...args);
    if (code !== 0) throw new Error(`dsm ${args[0]} ended with ${code}: ${stderr}`);
  }
}

import { bytesSource, type DsmClient } from "@dsm/client";
import type { Cluster } from "@dsm/cluster";
import { DsmError, type FileInfo, mediaPath } from "@dsm/protocol";
import { Random } from "../recovery/random-history.ts";

/** What a file holds; null when it is deleted. */
type Content = Buffer | null;

export function contentOf(text: string, sizeBytes: number): Buffer {
  return Buffer.alloc(sizeBytes, Bun.SHA256.hash(text, "hex"));
}

/**
 * Uploads, overwrites and deletes of one user, each file by one writer, and readers of all of
 * them. It knows what each file must hold after each acknowledgement.
 */
export class MoveLoad {
  readonly model = new Map<string, Content>();
  readonly counts = { puts: 0, deletes: 0, reads: 0, ranges: 0 };
  /** Whoever expected something else. */
  readonly faults: string[] = [];
  readonly #user: string;
  readonly cluster: Cluster;
  readonly #client: DsmClient;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>[] = [];
  /** Files that are being changed may hold what they did or what they will. */
  readonly #next = new Map<string, Content>();

  constructor(user: string, cluster: Cluster, client: DsmClient) {
    this.#user = user;
    this.cluster = cluster;
    this.#client = client;
  }

  async put(fileId: string, content: Buffer): Promise<FileInfo> {
    this.#next.set(fileId, content);
    const source = bytesSource(content);
    const request = { user: this.#user, fileId, source, overwrite: true };
    const { file } = await this.#client.upload(request);
    this.model.set(fileId, content);
    this.#next.delete(fileId);
    this.counts.puts++;
    return file;
  }

  async delete(fileId: string): Promise<void> {
    this.#next.set(fileId, null);
    await this.#client.delete({ user: this.#user, fileId });
    this.model.set(fileId, null);
    this.#next.delete(fileId);
    this.counts.deletes++;
  }

  start(seed: number): void {
    for (const writer of [0, 1, 2])
      this.#run((random) => this.#write(writer, random), seed + writer);
    for (const reader of [3, 4]) this.#run((random) => this.#read(random), seed + reader);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  #run(turn: (random: Random) => Promise<void>, seed: number): void {
    const random = new Random(seed);
    const work = async () => {
      while (!this.#stopping.signal.aborted) {
        await turn(random).catch((error: unknown) => {
          this.faults.push(error instanceof DsmError ? error.sentence : String(error));
        });
        await Bun.sleep(random.below(5));
      }
    };
    this.#running.push(work());
  }

  /** Files whose names end in the number of the writer are its own. */
  async #write(writer: number, random: Random): Promise<void> {
    const fileId = `f${random.below(20)}-${writer}`;
    const isThere = (this.model.get(fileId) ?? null) !== null;
    if (isThere && random.below(3) === 0) return this.delete(fileId);
    const sizeBytes = random.below(8) === 0 ? 1_200_000 : random.below(5_000);
    await this.put(fileId, contentOf(`${fileId} ${this.counts.puts}`, sizeBytes));
  }

  async #read(random: Random): Promise<void> {
    const fileId = random.pick([...this.model.keys()]);
    const before = this.#possible(fileId);
    const url = `${this.cluster.http}${mediaPath(this.#user, fileId)}`;
    const got = await fetch(url);
    const bytes = got.ok ? Buffer.from(await got.bytes()) : null;
    if (!got.ok && got.status !== 404) this.faults.push(`${fileId} got ${got.status}`);
    this.#judge(fileId, before, bytes);
    this.counts.reads++;
    if (bytes === null || bytes.length < 2) return;
    // As a player goes on: the rest of what it began, or all of what it is now.
    const start = random.below(bytes.length);
    const headers = { Range: `bytes=${start}-`, "If-Range": got.headers.get("ETag") ?? "" };
    const again = this.#possible(fileId);
    const rest = await fetch(url, { headers });
    if (rest.status === 404) return this.#judge(fileId, again, null);
    const tail = Buffer.from(await rest.bytes());
    if (rest.status === 206 && tail.equals(bytes.subarray(start))) this.counts.ranges++;
    else if (rest.status === 200) this.#judge(fileId, again, tail);
    else this.faults.push(`${fileId} from ${start} got ${rest.status}`);
  }

  /** What a read may give that begins now and ends later. */
  #possible(fileId: string): Content[] {
    const next = this.#next.get(fileId);
    return [this.model.get(fileId) ?? null, ...(next === undefined ? [] : [next])];
  }

  #judge(fileId: string, before: Content[], got: Content): void {
    const possible = [...before, ...this.#possible(fileId)];
    // Several changes may have come and gone meanwhile; then what it was in between is not known.
    const isKnown = possible.some((each) => (each === null ? got === null : got?.equals(each)));
    if (!isKnown) this.faults.push(`${fileId} is ${got === null ? "gone" : "something else"}`);
  }
}

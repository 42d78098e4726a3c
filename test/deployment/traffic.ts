import { resolve } from "node:path";
import { type Host, type HostProcess, until } from "@dsm/testkit";

const script = resolve(import.meta.dir, "traffic-process.ts");

export interface TrafficTerms {
  /** Where the gateway is, as clients see it: `http://10.9.0.101:8080`. */
  readonly http: string;
  readonly writeKey: string;
  readonly user: string;
  /** Of each upload. */
  readonly uploadBytes: number;
  /** The reader reads one file of that size from its start to its end, again and again. */
  readonly readBytes: number;
  readonly readBytesPerSecond: number;
  /** An upload or a read without a byte for that long is given up, and tried again. */
  readonly stallMs: number;
}

/** What was seen until now. */
export interface TrafficFigures {
  /** Acknowledged. */
  readonly uploads: number;
  /** Requests that ended otherwise; each is tried again with the same bytes. */
  readonly failedAttempts: number;
  /** Answers that no client can get over by trying again, and files that took over 30 s. */
  readonly failedUploads: number;
  /** The longest time between two acknowledgements. */
  readonly longestUploadGapMs: number;
  readonly readBytes: number;
  readonly readWhole: number;
  /** How often the reader went on with Range. */
  readonly reconnects: number;
  /** The longest that the reader waited for its next byte, reconnecting and all. */
  readonly longestReadGapMs: number;
  /** Bytes that were not those of the file. */
  readonly wrongBytes: number;
  readonly lastFailure: string;
  /** After `stop` alone: acknowledged files that do not read back with their bytes. */
  readonly lost?: number;
}

const defaults = {
  user: "ann",
  uploadBytes: 100_000,
  readBytes: 40_000_000,
  readBytesPerSecond: 2_000_000,
  stallMs: 1_500,
} as const;

/** Smallest, first and greatest, in bytes, of all sockets of the host: see tcp(7), tcp_rmem. */
const receiveBuffer = "4096 65536 131072";

/** A loop of uploads and a player-like reader, in a process on a host. */
export class Traffic {
  readonly #process: HostProcess;

  private constructor(process: HostProcess) {
    this.#process = process;
  }

  /** Resolves when both go. */
  static async start(
    host: Host,
    terms: Pick<TrafficTerms, "http" | "writeKey"> & Partial<TrafficTerms>,
  ): Promise<Traffic> {
    // What a player has not asked for yet must not come ahead of it, or it would see no gap.
    await host.run(["sh", "-c", `echo '${receiveBuffer}' >/proc/sys/net/ipv4/tcp_rmem`]);
    const cmd = [process.execPath, script, JSON.stringify({ ...defaults, ...terms })];
    const traffic = new Traffic(await host.start({ cmd, ready: /"uploads":/ }));
    await until("it flows", () => traffic.figures.uploads > 0 && traffic.figures.readBytes > 0);
    return traffic;
  }

  /** As of a tenth of a second ago. */
  get figures(): TrafficFigures {
    const lines = this.#process.stdout().split("\n");
    const last = lines.at(-2);
    if (last === undefined) throw new Error(`no figures: ${this.#process.stderr()}`);
    return JSON.parse(last) as TrafficFigures;
  }

  /** Each failure that it met, a line each with the seconds since its start. */
  get failures(): string {
    return this.#process.stderr();
  }

  /** Waits until this many more uploads were acknowledged and bytes read, both after now. */
  async goesOn(uploads = 5, readBytes = 2_000_000): Promise<void> {
    const before = this.figures;
    await until(
      "uploads and reads go on",
      () => {
        const now = this.figures;
        return (
          now.uploads >= before.uploads + uploads && now.readBytes >= before.readBytes + readBytes
        );
      },
      40_000,
    );
  }

  /** Ends it, and reads every acknowledged file back. */
  async stop(): Promise<TrafficFigures> {
    process.kill(this.#process.hostPid, "SIGUSR1");
    const code = await this.#process.exited;
    if (code !== 0) throw new Error(`traffic ended with ${code}: ${this.#process.stderr()}`);
    return this.figures;
  }
}

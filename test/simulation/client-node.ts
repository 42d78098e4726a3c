import { bytesSource, DsmClient } from "@dsm/client";
import { DsmError, type ErrorCode, type Intent } from "@dsm/protocol";
import type { Random } from "../chaos/random.ts";
import { Host, Life } from "./host.ts";
import type { Network } from "./network.ts";
import type { Setting } from "./setting.ts";
import { simDial } from "./sim-asker.ts";
import { simFetch } from "./sim-fetch.ts";

export interface ClientParts {
  readonly network: Network;
  readonly secret: string;
  readonly setting: Setting;
  readonly trackers: readonly string[];
  readonly random: Random;
  /** Is asked of each operation that failed. */
  readonly judge: (client: ClientNode, failed: FailedOperation) => void;
}

export interface FailedOperation {
  readonly intent: Intent;
  readonly user: string;
  readonly startMs: number;
  readonly error: DsmError;
}

interface OwnFile {
  readonly user: string;
  readonly fileId: string;
  readonly content: string;
}

/** So many new users come together, of whom two clients may make the same one at once. */
const usersAtOnce = 3;
const usersEveryMs = 2_000;
const filesKeptMax = 20;

/** A user of the real SDK on a host of its own, who does one thing after the other. */
export class ClientNode {
  readonly host: Host;
  readonly sdk: DsmClient;
  isBusy = false;
  /** It does no more than what is under way. */
  isLeaving = false;
  readonly #parts: ClientParts;
  readonly #life: Life;
  /** Those that were acknowledged, and not deleted since. */
  readonly #files: OwnFile[] = [];
  #uploads = 0;

  constructor(name: string, skewMs: number, parts: ClientParts) {
    const { network, secret, trackers, random } = parts;
    this.host = new Host(name, skewMs);
    this.#parts = parts;
    this.#life = new Life(network.schedule, this.host);
    this.sdk = new DsmClient({
      trackers,
      secret,
      surroundings: {
        clock: this.#life.clock,
        random: () => random.fraction(),
        dial: simDial(network, this.#life),
        fetch: simFetch(network, this.#life),
      },
    });
  }

  async run(): Promise<void> {
    const { random, setting } = this.#parts;
    for (;;) {
      await this.#life.pause(random.fraction() * 2 * setting.operationEveryMs);
      if (this.isLeaving) return;
      this.isBusy = true;
      await this.#operate();
      this.isBusy = false;
    }
  }

  #operate(): Promise<void> {
    const { random } = this.#parts;
    const doing = random.weighted({ upload: 4, read: 4, stat: 1, delete: 1 });
    const own = this.#files.length === 0 ? undefined : random.pick(this.#files);
    if (doing === "upload" || own === undefined) return this.#upload();
    if (doing === "read") return this.#read(own);
    if (doing === "stat") return this.#stat(own);
    return this.#delete(own);
  }

  async #upload(): Promise<void> {
    const { random, network } = this.#parts;
    const latest = Math.floor(network.schedule.nowMs / usersEveryMs) * usersAtOnce;
    const user = `u${latest + random.between(1, usersAtOnce)}`;
    const fileId = `${this.host.name}-${++this.#uploads}`;
    const content = `${user}/${fileId}`;
    const source = bytesSource(Buffer.from(content));
    await this.#attempt("write", user, async () => {
      await this.sdk.upload({ user, fileId, source });
      this.#files.push({ user, fileId, content });
      if (this.#files.length > filesKeptMax) this.#files.shift();
    });
  }

  async #read({ user, fileId, content }: OwnFile): Promise<void> {
    await this.#attempt("read", user, async () => {
      const { body } = await this.sdk.open({ user, fileId });
      let got = "";
      for await (const piece of body) got += Buffer.from(piece).toString();
      if (got !== content) this.#parts.network.witness.accuse(`${fileId} has the bytes ${got}`);
    });
  }

  async #stat({ user, fileId, content }: OwnFile): Promise<void> {
    await this.#attempt("read", user, async () => {
      const { sizeBytes } = await this.sdk.stat(user, fileId);
      if (sizeBytes === content.length) return;
      this.#parts.network.witness.accuse(`${fileId} has ${sizeBytes} bytes`);
    });
  }

  async #delete(own: OwnFile): Promise<void> {
    const { user, fileId } = own;
    // Whether a delete that fails is in force is not known: the file is not looked at again.
    this.#files.splice(this.#files.indexOf(own), 1);
    await this.#attempt("delete", user, () => this.sdk.delete({ user, fileId }));
  }

  async #attempt(intent: Intent, user: string, work: () => Promise<void>): Promise<void> {
    const { network, judge } = this.#parts;
    const startMs = network.schedule.nowMs;
    network.figures.operations++;
    try {
      await work();
      network.witness.trace(() => `${this.host.name}: ${intent} of ${user} is done`);
    } catch (error) {
      if (!(error instanceof DsmError)) {
        return network.witness.accuse(`${this.host.name}: ${intent} threw ${String(error)}`);
      }
      network.witness.trace(() => `${this.host.name}: ${intent} of ${user}: ${error.message}`);
      judge(this, { intent, user, startMs, error });
    }
  }
}

/** What an operation may fail of when a part of the cluster is gone or cannot be reached. */
const outages: ReadonlySet<ErrorCode> = new Set([
  "UNREACHABLE",
  "TIMEOUT",
  "GROUP_UNAVAILABLE",
  "CATALOG_UNAVAILABLE",
  "STORAGE_FULL",
  "STORAGE_FAILED",
  "DRAINING",
  "OVERLOADED",
]);

export function isOutage({ code }: DsmError): boolean {
  return outages.has(code);
}

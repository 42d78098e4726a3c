import { bytesSource, DsmClient } from "@dsm/client";
import { DsmError, limits } from "@dsm/protocol";
import type { DsmProcesses } from "../processes/dsm-processes.ts";

const users = ["ann", "bob", "Bob", "zoe.9-_"];
const fileIds = ["a", "A", "a/b", "a b", "é", "z/𝄞", "%41", "'; --"];
const operationsInFlight = 12;
const bodyMaxBytes = 4_000;

/** Numbers from a seed (mulberry32), so that a history can be made again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }
}

export interface Tally {
  /** By the name of the operation. */
  readonly done: Record<string, number>;
  /** By the code of the error. */
  readonly failed: Record<string, number>;
}

/**
 * Uploads, overwrites, deletes and work in the trash on few files by many at a time, so that they
 * get into each other's way; `disturb` runs in the middle of it.
 */
export async function makeHistory(
  cluster: DsmProcesses,
  random: Random,
  operations: number,
  disturb: () => Promise<void>,
): Promise<Tally> {
  const trackers = cluster.trackers.map((tracker) => tracker.endpoint);
  await using client = new DsmClient({ trackers, secret: cluster.secret });
  const tally: Tally = { done: {}, failed: {} };
  let left = operations;
  const disturbance = Promise.withResolvers<void>();
  const worker = async () => {
    while (left-- > 0) {
      if (left === Math.floor(operations / 2))
        disturb().then(disturbance.resolve, disturbance.reject);
      await operate(client, random, tally);
    }
  };
  await Promise.all([disturbance.promise, ...Array.from({ length: operationsInFlight }, worker)]);
  return tally;
}

async function operate(client: DsmClient, random: Random, tally: Tally): Promise<void> {
  const file = { user: random.pick(users), fileId: random.pick(fileIds) };
  const die = random.below(20);
  const [operation, work] =
    die < 12
      ? (["put", () => put(client, random, file)] as const)
      : die < 17
        ? (["delete", () => client.delete(file)] as const)
        : die < 19
          ? (["restore", () => client.restore({ ...file, overwrite: true })] as const)
          : (["empty", () => client.emptyTrash(file)] as const);
  try {
    await work();
    tally.done[operation] = (tally.done[operation] ?? 0) + 1;
  } catch (error) {
    const { code } = DsmError.from(error, operation);
    tally.failed[code] = (tally.failed[code] ?? 0) + 1;
  }
}

async function put(
  client: DsmClient,
  random: Random,
  file: { user: string; fileId: string },
): Promise<void> {
  const bytes = new Uint8Array(random.below(bodyMaxBytes)).fill(random.below(256));
  const ttl = random.below(4) === 0 ? { ttlMs: limits.ttlMinMs + random.below(60_000) } : {};
  await client.upload({ ...file, ...ttl, source: bytesSource(bytes), overwrite: true });
}

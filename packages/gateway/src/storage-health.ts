import { limits, type StorageAddress } from "@dsm/protocol";
import { LRUCache } from "lru-cache";

interface Look {
  readonly answer: Promise<boolean>;
  readonly atMs: number;
  /** As it was when it was last known. */
  wasUp: boolean | undefined;
}

/**
 * Which storages answer right now. Trackers notice a death only after some missed beats, and a
 * client that is redirected to a dead storage cannot be helped any more. Each storage is asked at
 * most once in limits.healthFreshnessMs, however many are redirected.
 */
export class StorageHealth {
  readonly #looks = new LRUCache<string, Look>({ max: limits.healthStoragesMax });

  /** The first that answers, in the order given; undefined when none does in time. */
  async firstUp(storages: readonly StorageAddress[]): Promise<StorageAddress | undefined> {
    const looks = storages.map((storage) => ({ storage, look: this.#look(storage.dataUrl) }));
    // Nobody waits for one that was down a moment ago, as long as another one is up.
    const order = looks.toSorted((a, b) => rank(a.look) - rank(b.look));
    for (const { storage, look } of order) {
      if (await look.answer) return storage;
    }
    return undefined;
  }

  #look(dataUrl: string): Look {
    const known = this.#looks.get(dataUrl);
    const atMs = performance.now();
    if (known !== undefined && atMs - known.atMs < limits.healthFreshnessMs) return known;
    const look: Look = { answer: answers(dataUrl), atMs, wasUp: known?.wasUp };
    void look.answer.then((isUp) => (look.wasUp = isUp));
    this.#looks.set(dataUrl, look);
    return look;
  }
}

function rank({ wasUp }: Look): number {
  return wasUp === false ? 1 : 0;
}

/**
 * Asked at the address inside the cluster: from here the public one may lead through a port
 * mapping that has no way back, or nowhere.
 */
async function answers(dataUrl: string): Promise<boolean> {
  try {
    const response = await fetch(new URL("/healthz", dataUrl), {
      redirect: "error",
      signal: AbortSignal.timeout(limits.healthTimeoutMs),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

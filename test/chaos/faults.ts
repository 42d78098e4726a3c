import { DsmError } from "@dsm/protocol";
import { type ChaosCluster, groups, type Guarded } from "./cluster.ts";
import type { Figures } from "./figures.ts";
import type { Random } from "./random.ts";
import type { Weather } from "./relay.ts";
import type { Role } from "./role.ts";

interface FaultPorts {
  readonly cluster: ChaosCluster;
  readonly figures: Figures;
  readonly random: Random;
  /** Ends every fault early: each heals what it did. */
  readonly signal: AbortSignal;
  readonly trouble: CatalogTrouble;
  readonly users: readonly string[];
}

/** When trackers may have said that the catalog is down. */
export class CatalogTrouble {
  #count = 0;
  #endedAtMs = -Infinity;

  begin(): void {
    this.#count++;
  }

  end(): void {
    this.#count--;
    this.#endedAtMs = performance.now();
  }

  /** Whether it is so, or was in the last `ms`. */
  isWithin(ms: number): boolean {
    return this.#count > 0 || performance.now() - this.#endedAtMs < ms;
  }
}

type Fault = (ports: FaultPorts, busy: Set<object>) => Promise<void>;

/** With the outage grace of the gateways, less than the trash grace. */
const longestOutageMs = 12_000;

/** How often each happens, in comparison. */
const weights = {
  "kill -9": 10,
  "stop and start": 3,
  pause: 4,
  "connections cut": 5,
  "connections refused": 3,
  "connections stalled": 4,
  "connections delayed": 4,
  "connections cut in the middle": 9,
  "disk full": 5,
  "catalog outage": 8,
  "user moves": 8,
} as const;
type FaultName = keyof typeof weights;

const faults: Readonly<Record<FaultName, Fault>> = {
  "kill -9": (ports, busy) =>
    withRole(ports, busy, "killed", async (role) => {
      await role.kill();
      await pause(ports, 0, 3_000);
      await role.start();
    }),
  "stop and start": (ports, busy) =>
    withRole(ports, busy, "stopped in order", async (role) => {
      const code = await role.terminate();
      if (code !== 0) died(ports, role, code);
      await pause(ports, 0, 2_000);
      await role.start();
    }),
  pause: (ports, busy) =>
    withRole(ports, busy, "paused", async (role) => {
      // When it wakes, its questions to the catalog are over their time.
      ports.trouble.begin();
      role.pause();
      try {
        await pause(ports, 200, 4_000);
      } finally {
        role.resume();
        ports.trouble.end();
      }
    }),
  "connections cut": (ports, busy) =>
    withRelay(ports, busy, "connections cut", async ({ relay }) => {
      relay.cutAll();
    }),
  "connections refused": (ports, busy) =>
    inWeather(ports, busy, "connections refused", { refuses: true }, 4_000),
  "connections stalled": (ports, busy) =>
    inWeather(ports, busy, "connections stalled", { stalls: true }, 6_000),
  "connections delayed": (ports, busy) => {
    const delayMs = ports.random.between(2, 60);
    return inWeather(ports, busy, "connections delayed", { delayMs }, 5_000);
  },
  "connections cut in the middle": (ports, busy) => {
    const cutsAfterBytes = () => Math.floor(2 ** (7 + 14 * ports.random.fraction()));
    return inWeather(ports, busy, "connections cut in the middle", { cutsAfterBytes }, 5_000);
  },
  "disk full": async (ports, busy) => {
    const { disk } = ports.cluster;
    if (disk === undefined || busy.has(disk)) return;
    await holding(busy, disk, async () => {
      ports.figures.fault("disk full");
      try {
        // Below the reserve the storage refuses by itself; above, a write fails in the middle.
        await disk.fill(ports.random.between(0, 4) * 256 * 1024);
        await pause(ports, 500, 4_000);
      } finally {
        await disk.empty();
      }
    });
  },
  "catalog outage": async (ports, busy) => {
    const { catalog } = ports.cluster;
    if (busy.has(catalog)) return;
    await holding(busy, catalog, async () => {
      const names = Object.keys(catalog.outages);
      const name = ports.random.pick(names);
      ports.figures.fault(name);
      ports.trouble.begin();
      const end = await catalog.outages[name]!();
      try {
        // Storages wait for 8 s until they say that nobody knows (limits.commitWaitMs).
        await pause(ports, 300, longestOutageMs);
      } finally {
        await end();
        ports.trouble.end();
      }
    });
  },
  "user moves": moveUser,
};

/** No fault, but a time in which faults meet what they meet nowhere else. */
async function moveUser({ cluster, figures, random, users }: FaultPorts): Promise<void> {
  await using client = cluster.newClient();
  try {
    await client.assign(random.pick(users), random.pick(groups));
    figures.fault("user moves");
  } catch (error) {
    // The cluster is not whole, or the group has no room.
    if (!(error instanceof DsmError) || !error.retryable) throw error;
  }
}

/**
 * Lets one fault after the other happen, some at the same time, until the signal; then all of them
 * are healed.
 * @throws AggregateError for those that could not be
 */
export async function causeFaults(ports: FaultPorts): Promise<void> {
  const busy = new Set<object>();
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  while (!ports.signal.aborted) {
    await pause(ports, 100, 900);
    if (ports.signal.aborted) break;
    const name = ports.random.weighted(weights);
    const task: Promise<void> = faults[name](ports, busy)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => running.delete(task));
    running.add(task);
  }
  await Promise.all(running);
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join("\n"));
}

async function withRole(
  ports: FaultPorts,
  busy: Set<object>,
  what: string,
  work: (role: Role) => Promise<void>,
): Promise<void> {
  const role = ports.random.pick(ports.cluster.roles);
  if (busy.has(role)) return;
  await holding(busy, role, async () => {
    ports.figures.fault(`${role.name.split(" ")[0]} ${what}`);
    await work(role);
  });
}

async function withRelay(
  ports: FaultPorts,
  busy: Set<object>,
  what: string,
  work: (guarded: Guarded) => Promise<void>,
): Promise<void> {
  const guarded = ports.random.pick(ports.cluster.guarded);
  if (busy.has(guarded.relay)) return;
  await holding(busy, guarded.relay, async () => {
    ports.figures.fault(`${guarded.role.name.split(" ")[0]} ${what}`);
    await work(guarded);
  });
}

function inWeather(
  ports: FaultPorts,
  busy: Set<object>,
  what: string,
  weather: Weather,
  longestMs: number,
): Promise<void> {
  return withRelay(ports, busy, what, async ({ relay }) => {
    relay.weather = weather;
    try {
      await pause(ports, 300, longestMs);
    } finally {
      relay.clear();
    }
  });
}

async function holding(busy: Set<object>, what: object, work: () => Promise<void>): Promise<void> {
  busy.add(what);
  try {
    await work();
  } finally {
    busy.delete(what);
  }
}

function died({ figures }: FaultPorts, role: Role, code: number | undefined): void {
  const what = `${role.name} was told to stop and ended with ${code}:\n${role.log.slice(-2_000)}`;
  figures.violations.push({ kind: "process", what });
}

/** A random time; less when the run is over. */
async function pause({ random, signal }: FaultPorts, lowMs: number, highMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, random.between(lowMs, highMs));
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (signal.aborted) resolve();
  await promise;
  clearTimeout(timer);
}

export interface Rate {
  readonly perSecond: number;
  /** Of one operation, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const warmUpMs = 500;

/** Runs `operation` in `clients` loops for a while, and counts what was done after a warm-up. */
export async function rateOf(
  operation: (client: number, turn: number) => Promise<unknown>,
  { clients, durationMs }: { clients: number; durationMs: number },
): Promise<Rate> {
  const startedAtMs = performance.now();
  const measuredFromMs = startedAtMs + warmUpMs;
  const endMs = measuredFromMs + durationMs;
  const tookMs: number[] = [];
  const loop = async (client: number) => {
    for (let turn = 0; performance.now() < endMs; turn++) {
      const beganMs = performance.now();
      await operation(client, turn);
      const endedMs = performance.now();
      if (beganMs >= measuredFromMs && endedMs <= endMs) tookMs.push(endedMs - beganMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => loop(client)));
  tookMs.sort((a, b) => a - b);
  const at = (share: number) => tookMs[Math.floor(tookMs.length * share)] ?? Number.NaN;
  return { perSecond: tookMs.length / (durationMs / 1000), p50Ms: at(0.5), p99Ms: at(0.99) };
}

import { expect } from "bun:test";
import type { Traffic, TrafficFigures } from "./traffic.ts";

/**
 * Lets something happen while traffic flows, waits until it flows again, reads all that was
 * acknowledged back, and prints what was seen. No bytes may be lost or wrong.
 */
export async function through(
  traffic: Traffic,
  what: string,
  happens: () => Promise<void>,
): Promise<TrafficFigures> {
  try {
    await traffic.goesOn();
    const startMs = performance.now();
    await happens();
    await traffic.goesOn(1, 1);
    const recoveredMs = Math.round(performance.now() - startMs);
    await traffic.goesOn();
    const figures = await traffic.stop();
    console.log(what, { recoveredMs, ...figures });
    expect(figures).toMatchObject({ failedUploads: 0, wrongBytes: 0, lost: 0 });
    return figures;
  } finally {
    if (traffic.failures !== "") console.log(traffic.failures);
  }
}

import { type Clock, systemClock } from "@dsm/clock";
import { type Dial, dialTcp } from "@dsm/rpc";
import type { Fetch } from "./storage-http.ts";

/** All that the SDK meets outside of itself. A simulation puts a world of its own there. */
export interface Surroundings {
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** The way to trackers. */
  readonly dial: Dial;
  /** The way to storages. */
  readonly fetch: Fetch;
}

export const realSurroundings: Surroundings = {
  clock: systemClock,
  random: () => Math.random(),
  dial: dialTcp,
  fetch: (url, init) => fetch(url, init),
};

import { limits } from "@dsm/protocol";
import { error, type Seen, warning } from "./finding.ts";

/** NTP keeps hosts within some milliseconds; whoever is off by this much has none. */
const skewNotedMs = 1_000;
/** At half of what signatures bear, two hosts that err in opposite directions refuse each other. */
const skewBadMs = limits.clockSkewMaxMs / 2;
const remedy = "let NTP set the clock of both hosts: timedatectl set-ntp true, or chrony";

/** How far a clock is from the one here, and how much of that the way there may account for. */
export interface ClockReading {
  readonly aheadMs: number;
  readonly uncertainMs: number;
}

/** Nothing when the two clocks agree as far as can be told. */
export function clockFindings(object: string, { aheadMs, uncertainMs }: ClockReading): Seen[] {
  const skewMs = Math.abs(aheadMs) - uncertainMs;
  if (skewMs < skewNotedMs) return [];
  const direction = aheadMs > 0 ? "ahead of" : "behind";
  const what = `its clock is ${(Math.abs(aheadMs) / 1_000).toFixed(1)} s ${direction} this host's`;
  return [(skewMs < skewBadMs ? warning : error)(object, what, remedy)];
}

/** From an HTTP `Date`, which has no more than whole seconds (RFC 9110, section 5.6.7). */
export function clockOfDate(date: string | null, askedMs: number, answeredMs: number) {
  const saidMs = Date.parse(date ?? "");
  if (Number.isNaN(saidMs)) return undefined;
  // Servers write the date once a second and send the same one until the next.
  const halfMs = 1_000;
  const aheadMs = saidMs + halfMs - (askedMs + answeredMs) / 2;
  return { aheadMs, uncertainMs: halfMs + (answeredMs - askedMs) / 2 };
}

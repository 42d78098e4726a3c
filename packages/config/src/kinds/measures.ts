import { DsmError, spanUnits } from "@dsm/protocol";
import { type Kind, notA, type Reading, textKind } from "./kind.ts";

/** Timers of JavaScript count to 2^31 - 1 ms, about 24 days; a grace period may be longer. */
const durationMaxMs = 3_650 * 86_400_000;

/** Milliseconds, written as a whole number with its unit: `500ms`, `30s`, `10m`, `24h`, `7d`. */
export function duration(minMs: number, maxMs: number = durationMaxMs): Kind<number> {
  const bounds = `from ${showMeasure(minMs, spanUnits)} to ${showMeasure(maxMs, spanUnits)}`;
  return textKind({
    rule: `a duration ${bounds} with its unit, as in 500ms, 30s, 10m, 24h or 7d`,
    hint: "DURATION",
    read: (written) => readMeasure(written, spanUnits, minMs, maxMs),
    show: (value) => showMeasure(value, spanUnits),
  });
}

/** The value of a flag of its own as milliseconds. @throws DsmError USAGE */
export function parseDuration(flag: string, written: string, minMs: number, maxMs: number): number {
  return valueOf(flag, written, duration(minMs, maxMs));
}

/** The value of a flag of its own as bytes. @throws DsmError USAGE */
export function parseSize(flag: string, written: string, minBytes: number): number {
  return valueOf(flag, written, size(minBytes));
}

function valueOf(flag: string, written: string, kind: Kind<number>): number {
  const reading = kind.fromText(written);
  if ("value" in reading) return reading.value;
  const message = `${flag}: ${JSON.stringify(written)} is wrong: ${reading.fault}`;
  throw new DsmError("USAGE", message, { remedy: `give ${kind.rule}` });
}

const sizeUnits = new Map([
  ["TiB", 2 ** 40],
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
  ["B", 1],
]);

/** Bytes, written with a binary unit, `64MiB`; a bare number in TOML is bytes. */
export function size(minBytes: number, maxBytes: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  const read = (written: string) => readMeasure(written, sizeUnits, minBytes, maxBytes);
  const base = textKind({
    rule: "a size with its unit, as in 512B, 64KiB, 64MiB, 1GiB or 2TiB",
    hint: "SIZE",
    read,
    show: (value: number) => showMeasure(value, sizeUnits),
  });
  return {
    ...base,
    fromToml: (value) => {
      if (typeof value === "number") return read(`${value}B`);
      return typeof value === "string" ? read(value) : notA("size", value);
    },
  };
}

type Units = ReadonlyMap<string, number>;

function readMeasure(written: string, units: Units, min: number, max: number): Reading<number> {
  const [, digits, unit] = /^(\d{1,16})([A-Za-z]*)$/.exec(written) ?? [];
  if (digits === undefined || unit === undefined) return { fault: "it is no number with a unit" };
  if (unit === "") return { fault: "it has no unit" };
  const factor = units.get(unit);
  if (factor === undefined) return { fault: `the unit ${unit} is unknown` };
  const value = Number(digits) * factor;
  if (value < min) return { fault: `it is less than ${showMeasure(min, units)}` };
  if (value > max) return { fault: `it is more than ${showMeasure(max, units)}` };
  return { value };
}

/** In the largest unit that gives a whole number. */
function showMeasure(value: number, units: Units): string {
  for (const [unit, factor] of units) {
    if (value >= factor && value % factor === 0) return `${value / factor}${unit}`;
  }
  const smallest = [...units.keys()].at(-1) ?? "";
  return `${value}${smallest}`;
}

import { DsmError } from "@dsm/protocol";

/** The value of a flag as a number. @throws DsmError USAGE */
export function wholeNumber(flag: string, written: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(written) ? Number(written) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new DsmError("USAGE", `${flag}: ${JSON.stringify(written)} is wrong`, {
    remedy: `give a whole number from ${min} to ${max}`,
  });
}

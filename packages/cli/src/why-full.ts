import { isBelowReserve, type Member } from "@dsm/protocol";
import { sizeText } from "./table.ts";

/** Why a storage that is full takes no uploads, though its disk may have room. */
export function whyFull(member: Member): string {
  const { reserveBytes } = member;
  // An older dsm does not say what it keeps free.
  if (reserveBytes === undefined) return "by its own reserve, or its disk refused more";
  if (!isBelowReserve(member)) return "its disk refused more";
  return `less is free than its reserve of ${sizeText(reserveBytes)}`;
}

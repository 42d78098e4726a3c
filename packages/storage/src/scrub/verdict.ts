import { type FileInfo, writeDamage } from "@dsm/protocol";
import { pieceCount, type PieceSums } from "../piece-sums.ts";
import type { BlobReading } from "./blob-reading.ts";

/** What a look at a blob has shown. */
export type Verdict =
  | { readonly kind: "sound"; readonly sums: PieceSums }
  | { readonly kind: "missing" }
  | {
      readonly kind: "bad";
      /** In ascending order; undefined where nobody knows which are bad. */
      readonly pieces: readonly number[] | undefined;
    };

/**
 * Whether the bytes are those that were stored. Their SHA-256 decides; the checksums of the pieces
 * only say where the damage is, and a sidecar that disagrees with a good SHA-256 is itself bad.
 */
export function verdictOf(
  file: FileInfo,
  reading: BlobReading | "missing" | "wrong size",
  expected: PieceSums | undefined,
): Verdict {
  if (reading === "missing") return { kind: "missing" };
  if (reading === "wrong size") return { kind: "bad", pieces: undefined };
  const { sha256, sums, unreadable } = reading;
  if (unreadable.length === 0 && sha256 === file.sha256) return { kind: "sound", sums };
  const count = pieceCount(file.sizeBytes);
  if (count === 1) return { kind: "bad", pieces: [0] };
  if (expected === undefined) return { kind: "bad", pieces: undefined };
  const lost = new Set(unreadable);
  const pieces = Array.from({ length: count }, (_, piece) => piece).filter(
    (piece) => lost.has(piece) || sums[piece] !== expected[piece],
  );
  // All pieces fit and the whole does not: then nothing of it can be trusted.
  return { kind: "bad", pieces: pieces.length === 0 ? undefined : pieces };
}

/** As the catalog has it; see protocol/damage.ts. */
export function damageOf({ pieces }: Extract<Verdict, { kind: "bad" }>): string {
  return pieces === undefined ? "*" : writeDamage(pieces);
}

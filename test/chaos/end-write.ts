import type { OperationKind } from "./choices.ts";
import type { WriteOutcome } from "./door.ts";
import type { Condition, MediaKey, State } from "./file-history.ts";
import type { Figures } from "./figures.ts";
import type { Ledger, Operation } from "./ledger.ts";

interface Write {
  readonly operation: Operation;
  readonly kind: OperationKind;
  /** Who did it, by which way. */
  readonly who: string;
  readonly key: MediaKey;
}

/** What a write makes of its file. */
interface Written {
  readonly to: State;
  readonly condition: Condition;
  readonly ttlMs?: number | undefined;
}

/** Tells the ledger and the figures how a write has ended. */
export function endWrite(
  { figures, ledger }: { readonly figures: Figures; readonly ledger: Ledger },
  { operation, kind, who, key }: Write,
  outcome: WriteOutcome,
  { to, condition, ttlMs }: Written,
): void {
  switch (outcome.is) {
    case "done":
      figures.operation(kind, "ok");
      return operation.acknowledged(to, condition, ttlMs);
    case "refused":
      figures.operation(kind, "refused");
      return operation.refused(condition, outcome.why);
    case "no effect":
      figures.operation(kind, outcome.why.startsWith("QUOTA_EXCEEDED") ? "refused" : "failed");
      return operation.nothing();
    case "in doubt":
      figures.operation(kind, "in doubt");
      return operation.inDoubt(to, condition, outcome.why, ttlMs);
    case "not there":
    case "unexplained": {
      const why = outcome.is === "not there" ? "a put was told that it is not there" : outcome.why;
      figures.operation(kind, "failed");
      operation.inDoubt(to, condition, why, ttlMs);
      ledger.violation("unexplained", key, `${who} ${kind}: ${why}`);
    }
  }
}

import type { ChaosCluster } from "./cluster.ts";
import type { MediaKey } from "./file-history.ts";
import type { Figures } from "./figures.ts";
import type { Ledger } from "./ledger.ts";

/** What the checks at the end look at. */
export interface FinalPorts {
  readonly cluster: ChaosCluster;
  readonly ledger: Ledger;
  readonly figures: Figures;
  readonly keys: readonly MediaKey[];
}

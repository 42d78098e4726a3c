import table from "../../../../../deploy/glusterfs/volume-options" with { type: "text" };
import { wantedOptions } from "./volume.ts";

/** What prepare-group sets: the same file, so that there are not two tables. */
export const advisedOptions = wantedOptions(table);

import type { ChaosOptions, ChaosResult } from "./chaos.ts";
import type { Violation } from "./figures.ts";
import { smallDiskMissing } from "./small-disk.ts";

/** More violations than this follow from the first ones. */
const shownMax = 5;

type Run = Pick<ChaosOptions, "seed" | "setting" | "durationMs">;

/** What a run did and found, for people. */
export function reportOf(run: Run, { figures, seconds }: ChaosResult): string {
  const { seed, setting } = run;
  const missing = smallDiskMissing();
  const parts = [
    figures.table({ seed, seconds, setting }),
    ...(missing === undefined ? [] : [`no full disks: ${missing}`]),
    ...figures.violations.slice(0, shownMax).map(shown),
    ...(figures.violations.length === 0 ? [] : [repeat(run)]),
  ];
  return parts.join("\n\n");
}

function shown({ kind, file, what, history }: Violation): string {
  const where = file === undefined ? "" : ` ${file.user}/${file.fileId}`;
  const before = history === undefined ? "" : `\nits history, in seconds of the run:\n${history}`;
  return `VIOLATION, ${kind}:${where} ${what}${before}`;
}

/** Processes and networks have times of their own, so it may take more than one try. */
function repeat({ seed, setting, durationMs }: Run): string {
  const minutes = (durationMs / 60_000).toFixed(3);
  return `to repeat: bun run chaos --seed ${seed} --catalog ${setting} --minutes ${minutes}`;
}

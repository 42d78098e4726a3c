import { DsmError } from "@dsm/protocol";
import { checks, type Finding } from "./checks.ts";
import { error, levels, type Seen } from "./finding.ts";
import type { Subject } from "./subject.ts";

/** How long one check may take; all run side by side, so this bounds the whole examination. */
export const checkTimeoutMs = 15_000;

/** Worst first, and in the order of the table among equals. A check never throws. */
export async function runChecks(subject: Subject, signal: AbortSignal): Promise<Finding[]> {
  const found = await Promise.all(
    checks.map(async ({ id, title, run }) => {
      const seen = await bounded(title, signal, (ends) => run(subject, ends));
      return seen.map(({ level, object, what, remedy }): Finding => {
        return { check: id, level, object, what, remedy };
      });
    }),
  );
  signal.throwIfAborted();
  return found.flat().toSorted((a, b) => levels.indexOf(a.level) - levels.indexOf(b.level));
}

async function bounded(
  title: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Seen[]>,
): Promise<Seen[]> {
  const late = AbortSignal.timeout(checkTimeoutMs);
  const ends = AbortSignal.any([signal, late]);
  const { promise: ended, resolve } = Promise.withResolvers<Seen[]>();
  const onEnd = () => {
    const what = `no end of it within ${checkTimeoutMs / 1_000} s`;
    resolve([error(title, what, "look for a disk, a mount or a host that hangs")]);
  };
  ends.addEventListener("abort", onEnd, { once: true });
  try {
    return await Promise.race([work(ends), ended]);
  } catch (thrown) {
    const { message, remedy } = DsmError.from(thrown, title);
    return [error(title, message, remedy ?? "this is a fault in dsm doctor: report it")];
  } finally {
    ends.removeEventListener("abort", onEnd);
  }
}

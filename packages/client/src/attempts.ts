import { DsmError, limits } from "@dsm/protocol";
import type { Surroundings } from "./surroundings.ts";

interface AttemptOptions {
  readonly surroundings: Pick<Surroundings, "clock" | "random">;
  /** Ends it, a pause too; its reason is what is thrown then, whatever came of the try. */
  readonly signal?: AbortSignal | undefined;
  /** Asked before each further try: a stream that is used up cannot be sent again. */
  readonly mayRepeat?: (error: DsmError) => boolean;
}

/**
 * Does `attempt` again, with growing pauses, as long as it fails with an error that another try
 * may mend, at most `limits.clientAttemptsMax` times. Tries are counted from 1.
 */
export async function withAttempts<T>(
  attempt: (number: number) => Promise<T>,
  options: AttemptOptions,
): Promise<T> {
  const { signal, mayRepeat = () => true } = options;
  for (let number = 1; ; number++) {
    signal?.throwIfAborted();
    try {
      const result = await attempt(number);
      signal?.throwIfAborted();
      return result;
    } catch (error) {
      signal?.throwIfAborted();
      const mayMend = error instanceof DsmError && error.retryable && mayRepeat(error);
      if (!mayMend || number >= limits.clientAttemptsMax) throw error;
    }
    await pauseBehind(number, options);
  }
}

/** Up to twice as long as the doubled base, so that clients which failed together come apart. */
async function pauseBehind(number: number, options: AttemptOptions): Promise<void> {
  const { surroundings, signal } = options;
  const { clock, random } = surroundings;
  const pauseMs = limits.clientRetryBaseMs * 2 ** (number - 1) * (1 + random());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const alarm = clock.after(Math.min(pauseMs, limits.clientRetryMaxMs), resolve);
  const onAbort = () => reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    alarm.cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}

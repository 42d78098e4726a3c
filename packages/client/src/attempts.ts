import { DsmError, limits } from "@dsm/protocol";
import pRetry from "p-retry";

/**
 * Does `attempt` again, with growing pauses, as long as it fails with an error that another try
 * may mend.
 * @param mayRepeat asked before each further try: a stream that is used up cannot be sent again
 */
export function withAttempts<T>(
  attempt: (number: number) => Promise<T>,
  signal?: AbortSignal,
  mayRepeat: () => boolean = () => true,
): Promise<T> {
  return pRetry((number) => attempt(number), {
    retries: limits.clientAttemptsMax - 1,
    minTimeout: limits.clientRetryBaseMs,
    maxTimeout: limits.clientRetryMaxMs,
    randomize: true,
    shouldRetry: ({ error }) => error instanceof DsmError && error.retryable && mayRepeat(),
    ...(signal === undefined ? {} : { signal }),
  });
}

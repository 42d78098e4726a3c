/** The longest that a test waits for a condition before it says that it never came. */
const untilTimeoutMs = 20_000;
const pollMs = 5;

/**
 * Waits until `condition` gives something truthy, and gives that. Tests wait for conditions and
 * never for the clock: the time-out is only there so that a broken test ends.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = untilTimeoutMs,
): Promise<NonNullable<T>> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await Bun.sleep(pollMs);
  }
}

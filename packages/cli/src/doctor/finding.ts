/** `skipped` is what could not be looked at from here; it says nothing of the cluster. */
export const levels = ["error", "warning", "skipped", "ok"] as const;
export type Level = (typeof levels)[number];

/** What a check saw of one thing. */
export interface Seen {
  readonly level: Level;
  /** What was looked at, as `tracker 10.0.0.1:7600`. */
  readonly object: string;
  /** What is so, in one line. */
  readonly what: string;
  /** What to do; each error and each warning has one. */
  readonly remedy?: string | undefined;
}

export function ok(object: string, what: string): Seen {
  return { level: "ok", object, what };
}

export function warning(object: string, what: string, remedy: string): Seen {
  return { level: "warning", object, what, remedy };
}

export function error(object: string, what: string, remedy: string): Seen {
  return { level: "error", object, what, remedy };
}

export function skipped(object: string, why: string, remedy?: string): Seen {
  return { level: "skipped", object, what: why, remedy };
}

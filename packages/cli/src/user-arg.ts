import type { ArgsDef } from "./strict.ts";

/** Whose files a command is about. */
export const userArg = {
  user: { type: "string", required: true, valueHint: "USER", description: "Whose files." },
} as const satisfies ArgsDef;

import { createInterface } from "node:readline/promises";
import { DsmError } from "@dsm/protocol";

/**
 * Asks a person on the terminal whether to do what cannot be undone.
 * @throws DsmError USAGE where nobody can be asked
 */
export async function confirmed(question: string, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new DsmError("USAGE", `${question} There is nobody to ask`, {
      remedy: "give --yes to do it without being asked",
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(?:es)?$/i.test((await terminal.question(`${question} [y/N] `, { signal })).trim());
  } finally {
    terminal.close();
  }
}

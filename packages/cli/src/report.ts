import { DsmError } from "@dsm/protocol";

/** Says on stderr, in one line, what went wrong; gives the exit code. */
export function report(thrown: unknown, json: boolean): number {
  const error = DsmError.from(thrown, "dsm");
  const unexpected = !(thrown instanceof DsmError);
  const remedy = unexpected
    ? "this is a fault in dsm: run it again with DSM_LOG_LEVEL=debug and report what it says"
    : error.remedy;
  sayError(new DsmError(error.code, error.message, { remedy }), json);
  if (process.env["DSM_LOG_LEVEL"] === "debug") warn(Bun.inspect(thrown));
  return error.exit;
}

/** An error as one line, or as one line of JSON. */
export function sayError(error: DsmError, json: boolean): void {
  warn(json ? JSON.stringify({ error: error.toWire() }) : `dsm: ${oneLine(error.sentence)}`);
}

/** A line on stderr. */
export function warn(line: string): void {
  process.stderr.write(`${line}\n`);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*[\r\n]+\s*/g, " ");
}

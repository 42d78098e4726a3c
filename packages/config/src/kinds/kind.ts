/** What came of reading a value: the value, or why it is none. */
export type Reading<T> = { readonly value: T } | { readonly fault: string };

/**
 * A kind of option value. It reads what a person wrote on a command line, in a variable or in a
 * TOML file, and writes a value so that reading it gives the same value again.
 */
export interface Kind<T> {
  /** The right form in words, as the end of "it must be …". */
  readonly rule: string;
  /** The value's name in a usage line, as DURATION in `--trash-grace=<DURATION>`. */
  readonly hint: string;
  fromText(text: string): Reading<T>;
  fromToml(value: unknown): Reading<T>;
  toText(value: T): string;
  toToml(value: T): string;
}

interface TextKind<T> {
  readonly rule: string;
  readonly hint: string;
  read(text: string): Reading<T>;
  show(value: T): string;
}

/** A kind that is a string in TOML too. */
export function textKind<T>({ rule, hint, read, show }: TextKind<T>): Kind<T> {
  return {
    rule,
    hint,
    fromText: read,
    fromToml: (value) => (typeof value === "string" ? read(value) : notA("string", value)),
    toText: show,
    toToml: (value) => tomlString(show(value)),
  };
}

export function notA(expected: string, value: unknown): Reading<never> {
  return { fault: `it is ${tomlTypeOf(value)} and no ${expected}` };
}

function tomlTypeOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a table or a date";
  if (typeof value === "boolean") return `the boolean ${value}`;
  return typeof value === "string" ? "a string" : `the number ${String(value)}`;
}

/**
 * A TOML basic string. JSON's escapes are TOML's too; TOML wants DEL escaped as well, but no kind
 * lets a control character through.
 */
export function tomlString(text: string): string {
  return JSON.stringify(text);
}

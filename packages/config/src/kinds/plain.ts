import { isName, limits } from "@dsm/protocol";
import { type Kind, notA, textKind } from "./kind.ts";

/** Any text that is not empty and holds no control character. */
export function text(rule: string, hint: string): Kind<string> {
  return textKind({
    rule,
    hint,
    read: (value) => {
      if (value === "") return { fault: "it is empty" };
      if (/\p{Cc}/u.test(value)) return { fault: "it holds a control character" };
      return { value };
    },
    show: (value) => value,
  });
}

/** A file or folder; a loaded configuration holds it absolute. */
export const path: Kind<string> = text("a path", "PATH");

/** A name of a group or a storage: design, section 4.4. */
export const name: Kind<string> = textKind({
  rule: `1 to ${limits.userMaxChars} of A-Z a-z 0-9 . _ - with no leading dot`,
  hint: "NAME",
  read: (value) => (isName(value) ? { value } : { fault: "it is no name" }),
  show: (value) => value,
});

export function oneOf<const T extends string>(choices: readonly T[]): Kind<T> {
  return textKind<T>({
    rule: `one of ${choices.join(", ")}`,
    hint: choices.join("|"),
    read: (value) => {
      const choice = choices.find((it) => it === value);
      return choice === undefined ? { fault: "it is none of the choices" } : { value: choice };
    },
    show: (value) => value,
  });
}

/** A whole number from `min` to `max`, both allowed. */
export function int(min: number, max: number): Kind<number> {
  const check = (value: number) => {
    if (!Number.isSafeInteger(value)) return { fault: "it is no whole number" };
    if (value < min) return { fault: `it is less than ${min}` };
    return value > max ? { fault: `it is more than ${max}` } : { value };
  };
  return {
    rule: `a whole number from ${min} to ${max}`,
    hint: "N",
    fromText: (written) =>
      /^-?\d{1,16}$/.test(written) ? check(Number(written)) : { fault: "it is no whole number" },
    fromToml: (value) => (typeof value === "number" ? check(value) : notA("whole number", value)),
    toText: String,
    toToml: String,
  };
}

/** The text forms are `true` and `false`; on a command line the bare flag is `true`. */
export const bool: Kind<boolean> = {
  rule: "true or false",
  hint: "BOOLEAN",
  fromText: (value) => {
    if (value !== "true" && value !== "false") return { fault: "it is neither true nor false" };
    return { value: value === "true" };
  },
  fromToml: (value) => (typeof value === "boolean" ? { value } : notA("boolean", value)),
  toText: String,
  toToml: String,
};

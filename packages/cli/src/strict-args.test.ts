import { expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import fc from "fast-check";
import { type ArgsDef, command } from "./strict.ts";
import { assertArgs } from "./strict-args.ts";

const def = {
  "path…": { type: "positional", required: true },
  user: { type: "string", required: true },
  out: { type: "string", alias: "o" },
  mode: { type: "enum", options: ["a", "b"] },
  force: { type: "boolean" },
} satisfies ArgsDef;

function complaint(args: string[], terms: ArgsDef = def): string {
  try {
    assertArgs("dsm x", args, terms);
    return "";
  } catch (error) {
    if (!(error instanceof DsmError)) throw error;
    return `${error.code} ${error.message}`;
  }
}

test("wrong arguments are named", () => {
  const cases = [
    ["p --user u --forse", "USAGE the flag --forse is unknown"],
    ["p --user u --no-force", "USAGE the flag --no-force is unknown"],
    ["p --user u -x", "USAGE the flag -x is unknown"],
    ["p --user u --path… q", "USAGE the flag --path… is unknown"],
    ["p --user u --constructor", "USAGE the flag --constructor is unknown"],
    ["p --user", "USAGE --user needs a value"],
    ["p --user --force", "USAGE --user needs a value"],
    ["p --user u -o", "USAGE -o needs a value"],
    ["p --user u --user v", "USAGE --user is given twice"],
    ["p --user u -o a --out b", "USAGE --out is given twice"],
    ["p --user u --force=yes", "USAGE --force takes no value"],
    ["p --user u --mode c", 'USAGE --mode: "c" is none of a, b'],
    ["p", "USAGE --user is missing"],
    ["--user u", "USAGE PATH… is missing"],
  ];
  expect(cases.map(([args]) => [args, complaint(args?.split(" ") ?? [])])).toEqual(cases);
});

test("right arguments pass", () => {
  const cases = [
    "p --user u",
    "p q r --user=--x -o -",
    "--user u --force --force -- --p",
    "-ofile p --user u",
  ];
  expect(cases.map((args) => complaint(args.split(" ")))).toEqual(cases.map(() => ""));
});

test("a surplus argument is named", () => {
  expect(complaint(["a", "b"], { file: { type: "positional" } })).toBe(
    'USAGE the argument "b" is one too many',
  );
});

test("a positional that need not be there takes none, one or many", () => {
  const terms = { "path…": { type: "positional", required: false } } satisfies ArgsDef;
  expect([[], ["a"], ["a", "b"]].map((args) => complaint(args, terms))).toEqual(["", "", ""]);
});

test("no command line makes the check fail in another way", () => {
  const word = fc.oneof(
    fc.constantFrom(
      "--",
      "-",
      "--user",
      "--user=",
      "-o",
      "--no-user",
      "--force",
      "--=x",
      "-=",
      "p",
    ),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(word), (args) => void complaint(args)));
});

test("what passes the check reaches the command as it was written", async () => {
  const value = fc.string({ minLength: 1 }).filter((it) => !it.startsWith("-"));
  const values = fc.record({ user: value, out: value, paths: fc.array(value, { minLength: 1 }) });
  await fc.assert(
    fc.asyncProperty(values, async ({ user, out, paths }) => {
      let seen: unknown;
      const probe = command({
        args: def,
        run: ({ args, positionals }) => {
          seen = { user: args.user, out: args.out, force: args.force, paths: positionals };
          return Promise.resolve(7);
        },
      });
      const rawArgs = ["--force", `--user=${user}`, "-o", out, "--", ...paths];
      const { signal } = new AbortController();
      expect(await probe.execute("dsm x", rawArgs, { json: false, signal })).toBe(7);
      expect(seen).toEqual({ user, out, force: true, paths });
    }),
  );
});

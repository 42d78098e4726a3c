import { expect, test } from "bun:test";
import { resolve } from "node:path";
import fc from "fast-check";
import { path as pathKind } from "./kinds/index.ts";
import { namedOptions } from "./names.ts";
import { configRoles } from "./option.ts";
import { readOption } from "./read-option.ts";
import { arbitraryOf } from "./testing/arbitrary.ts";
import type { TomlFile } from "./toml-file.ts";

const nothing = { flags: {}, env: {}, file: undefined };

function tomlFile(text: string): TomlFile {
  const root = Bun.TOML.parse(text) as Record<string, Record<string, unknown>>;
  return {
    path: "/etc/dsm/dsm.toml",
    mode: 0o600,
    value: (section, key) => (section === "common" ? root[key] : root[section]?.[key]),
  };
}

for (const named of namedOptions) {
  const { section, key, flag, env, tomlKey, option } = named;
  const { kind } = option;
  const expected = (value: unknown) => (kind === pathKind ? resolve(String(value)) : value);

  test(`${section}.${key} comes back from a flag, a variable and TOML as it was`, () => {
    fc.assert(
      fc.property(arbitraryOf(named), (value) => {
        const text = kind.toText(value);
        const header = section === "common" ? "" : `[${section}]\n`;
        const file = tomlFile(`${header}${tomlKey} = ${kind.toToml(value)}\n`);
        const read = [
          ...(flag === undefined
            ? []
            : [readOption(named, { ...nothing, flags: { [key]: text } })]),
          readOption(named, { ...nothing, env: { [env]: text } }),
          readOption(named, { ...nothing, file }),
        ];
        for (const setting of read) expect(setting?.value).toEqual(expected(value));
      }),
      { numRuns: 40 },
    );
  });
}

test("no two options of a role share a written name, and all have a sentence", () => {
  for (const role of configRoles) {
    const mine = namedOptions.filter((it) => it.roles.includes(role));
    for (const names of [mine.map((it) => it.env), mine.flatMap((it) => it.flag ?? [])]) {
      expect(names).toEqual([...new Set(names)]);
    }
  }
  for (const { option } of namedOptions) expect(option.doc).toMatch(/^[A-Z].*\.$/);
});

test("units of keys are left out of written names, since values carry them", () => {
  const grace = namedOptions.find((it) => it.key === "trashGraceMs");
  expect([grace?.flag, grace?.env, grace?.tomlKey]).toEqual([
    "--trash-grace",
    "DSM_TRASH_GRACE",
    "trash_grace",
  ]);
});

test("secrets are no flags", () => {
  const confidential = namedOptions.filter((it) => it.option.confidential === true);
  expect(confidential.map((it) => [it.key, it.flag])).toEqual([
    ["secret", undefined],
    ["metricsKey", undefined],
    ["writeKey", undefined],
    ["linkKeys", undefined],
  ]);
});

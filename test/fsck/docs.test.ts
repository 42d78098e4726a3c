import { expect, test } from "bun:test";
import { findingKinds } from "@dsm/storage";

test("docs/OPERATIONS.md says of each finding what the table in the code says", async () => {
  const page = await Bun.file(new URL("../../docs/OPERATIONS.md", import.meta.url)).text();
  const rows = page.split("\n").flatMap((line) => {
    const [, kind, ...cells] = /^\|\s*`([\w-]+)`\s*\|(.*)\|(.*)\|(.*)\|$/.exec(line) ?? [];
    return kind === undefined || !Object.hasOwn(findingKinds, kind)
      ? []
      : [[kind, ...cells.map((cell) => cell.trim())]];
  });
  const table = Object.entries(findingKinds).map(([kind, { severity, doc, repair }]) => {
    return [kind, severity, doc, repair];
  });
  expect(rows).toEqual(table);
});

import { expect, test } from "bun:test";
import { generatedDocs } from "./files.ts";

for (const { path, make } of generatedDocs) {
  test(`${path} is current: if not, run bun run docs`, async () => {
    expect(await Bun.file(path).text()).toBe(make());
  });
}

test("the formatter leaves the pages as they are", async () => {
  const paths = generatedDocs.map((it) => it.path);
  const fmt = Bun.spawn([process.execPath, "fmt", "--no-script", "--check", ...paths], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = (await fmt.stdout.text()) + (await fmt.stderr.text());
  expect([await fmt.exited, said]).toEqual([0, expect.any(String)]);
});

import { describe, expect, test } from "bun:test";
import { softwareVersion } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { rootCommand } from "./commands/index.ts";
import type { CommandEntry } from "./strict.ts";
import { dsm, dsmCommand } from "./testing/dsm.ts";

function titles(entry: CommandEntry, parent: readonly string[] = []): string[][] {
  const own = entry === rootCommand ? [] : [...parent, entry.name];
  return [own, ...(entry.subCommands ?? []).flatMap((it) => titles(it, own))];
}

test("every command has a help", async () => {
  const helps = await Promise.all(
    titles(rootCommand).map(async (words) => ({ words, said: await dsm([...words, "--help"]) })),
  );
  for (const { words, said } of helps) {
    const { exit, out, err } = said;
    expect({ words, exit, err }).toEqual({ words, exit: 0, err: "" });
    expect(out).toContain(`USAGE ${["dsm", ...words].join(" ")}`);
    expect(out).toContain("--json");
    // No colours where no terminal is.
    expect(out).not.toContain("\u001b");
  }
});

test("--version prints the version", async () => {
  expect(await dsm(["--version"])).toEqual({ exit: 0, out: `${softwareVersion}\n`, err: "" });
  expect((await dsm(["--version", "--json"])).out).toBe(`{"version":"${softwareVersion}"}\n`);
});

describe("wrong usage is one line on stderr and exit code 2", () => {
  const cases: Array<[string, string]> = [
    ["", "dsm: a command is missing; see dsm --help\n"],
    ["uplaod x", "dsm: the command uplaod is unknown; did you mean dsm upload? see dsm --help\n"],
    ["play x", "dsm: the command play is unknown; see dsm --help\n"],
    ["--nope", "dsm: the flag --nope is unknown here; see dsm --help\n"],
    ["user", "dsm: a command is missing; see dsm user --help\n"],
    [
      "user asign a b",
      "dsm: the command asign is unknown; did you mean dsm user assign? see dsm user --help\n",
    ],
    [
      "upload x --usr u",
      "dsm: the flag --usr is unknown; did you mean --user? see dsm upload --help\n",
    ],
    ["storage drain", "dsm: ID is missing; see dsm storage drain --help\n"],
    ["storage x", 'dsm: the argument "x" is one too many; see dsm storage --help\n'],
    ["list --user u --limit 0", 'dsm: --limit: "0" is wrong; give a whole number from 1 to 1000\n'],
    ["upload - --user u", "dsm: standard input has no name; name it with --id\n"],
    [
      "upload /nonexistent --user u",
      "dsm: cannot upload /nonexistent: there is no such file or folder\n",
    ],
    [
      "up --http 8080",
      'dsm: --http: "8080" is wrong: it is not of the form HOST:PORT; give HOST:PORT, as in 127.0.0.1:7600 or [::1]:7600\n',
    ],
    [
      "delete ../x --user u",
      'dsm: "../x" is not a file id: it has a segment ".."; use 1 to 512 bytes of UTF-8, segments separated by /\n',
    ],
  ];
  for (const [line, err] of cases) {
    test.concurrent(`dsm ${line}`, async () => {
      const args = line === "" ? [] : line.split(" ");
      expect(await dsm(args)).toEqual({ exit: 2, out: "", err });
    });
  }
});

test("with --json an error is one line of JSON on stderr", async () => {
  const { exit, out, err } = await dsm(["stat", "--json", "--user", "u"]);
  expect({ exit, out }).toEqual({ exit: 2, out: "" });
  expect(JSON.parse(err)).toEqual({
    error: { code: "USAGE", message: "FILEID is missing", remedy: "see dsm stat --help" },
  });
});

test("without a cluster the exit code is 5 and the line says what to do", async () => {
  await using dir = await tempDir();
  const results = await Promise.all([
    dsm(["stat", "x", "--user", "u"], { cwd: dir.path }),
    dsm(["status", "--tracker", "127.0.0.1:1"], {
      cwd: dir.path,
      env: { DSM_SECRET: "s".repeat(32) },
    }),
    dsm(["status", "--tracker", "127.0.0.1:1"], { cwd: dir.path }),
  ]);
  expect(results.map(({ exit, err }) => [exit, err.split("\n").length])).toEqual([
    [5, 2],
    [5, 2],
    [6, 2],
  ]);
  expect(results[0]?.err).toContain("start one here with dsm up");
});

test("the sample of dsm config is taken back as a configuration", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/dsm.toml`;
  await Bun.write(path, (await dsm(["config"])).out);
  const { exit, err } = await dsm(["status", "--config", path], { cwd: dir.path });
  expect({ exit, err }).toEqual({ exit: 5, err: expect.stringContaining("no cluster is named") });
});

test("a reader that leaves early is no failure", async () => {
  const line = `"$@" | true; echo "\${PIPESTATUS[0]}"`;
  const shell = Bun.spawn(["bash", "-c", line, "bash", ...dsmCommand, "config"], {
    stdout: "pipe",
    stderr: "pipe",
  });
  expect([await shell.stdout.text(), await shell.stderr.text()]).toEqual(["0\n", ""]);
});

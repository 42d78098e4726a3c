import { namedOptions } from "./names.ts";
import { type Section, sections } from "./option.ts";

const width = 96;

/**
 * The commented sample that `dsm config` prints. Lines with one `#` are options, those with two
 * say what they are.
 */
export function sampleToml(): string {
  const head = [
    "## Configuration of dsm. Flags weigh more than DSM_* variables, and those more than this file.",
    "## One file may serve all roles: each reads what stands before the sections and its own one.",
  ];
  return `${[...head, ...sections.flatMap(sectionLines)].join("\n")}\n`;
}

function sectionLines(section: Section): string[] {
  const lines = section === "common" ? [""] : ["", `[${section}]`];
  for (const { tomlKey, option } of namedOptions.filter((it) => it.section === section)) {
    const words = option.doc.replaceAll("`", "");
    const rule = option.presence === "required" ? `${words} Needed.` : words;
    lines.push(...wrap(rule).map((line) => `## ${line}`));
    lines.push(`# ${tomlKey} = ${option.kind.toToml(option.example)}`);
  }
  return lines;
}

function wrap(words: string): string[] {
  const lines = [""];
  for (const word of words.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last !== "" && last.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}

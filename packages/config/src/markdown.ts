import { type NamedOption, namedOptions } from "./names.ts";
import { type Section, sections } from "./option.ts";
import { upOptions } from "./up-options.ts";

/** docs/CONFIG.md. */
export function configMarkdown(): string {
  return `# Configuration

Made from the table of options in packages/config by \`bun run docs\`. Do not edit it by hand.

Each role reads flags, then \`DSM_*\` variables, then the TOML file that \`--config\` or \`DSM_CONFIG\` names, then the defaults: what comes first weighs most. An empty variable counts as not set. Unknown flags, sections and keys are errors. \`dsm config\` prints a commented sample of the file; one file may serve all roles. Secrets are no flags, since any user of a machine can read command lines.

Durations are whole numbers with a unit (\`500ms\`, \`30s\`, \`10m\`, \`24h\`, \`7d\`), sizes too (\`512B\`, \`64KiB\`, \`64MiB\`, \`1GiB\`, \`2TiB\`). Lists are separated by commas in flags and variables, and are lists in TOML. Paths in a file are relative to the folder of the file.
${sections.map(sectionMarkdown).join("")}`;
}

function sectionMarkdown(section: Section): string {
  const title = section === "common" ? "Before all sections" : `\`[${section}]\``;
  const rows = namedOptions.filter((it) => it.section === section);
  return `
## ${title}

${rows.map(optionMarkdown).join("\n")}`;
}

function optionMarkdown(named: NamedOption): string {
  const { tomlKey, flag, env, option, section, roles } = named;
  const names = flag === undefined ? `\`${env}\`` : `\`${flag}\`, \`${env}\``;
  const readers = section === "common" || roles.length > 1 ? ` Read by: ${roles.join(", ")}.` : "";
  const up = upOptions().some((it) => it.key === named.key) ? " `dsm up` takes it as well." : "";
  return `### \`${tomlKey}\`

${option.doc}${readers}${up}

- Also: ${names}
- Value: ${option.kind.rule}
- Default: ${fallbackWords(named)}
`;
}

function fallbackWords({ option }: NamedOption): string {
  if (option.presence === "required") return "none, it is needed";
  if (option.presence === "optional") return option.fallbackDoc ?? "none";
  return `\`${option.kind.toToml(option.example)}\``;
}

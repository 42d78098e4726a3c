import { checks } from "../doctor/checks.ts";
import { checkTimeoutMs } from "../doctor/run-checks.ts";

/** docs/DOCTOR.md. */
export function doctorMarkdown(): string {
  const sections = checks.map((row) => {
    const needs = "needs" in row ? `\nNeeds ${row.needs}.\n` : "";
    const finds = row.finds.map((found) => `- ${found}`).join("\n");
    return `## ${row.title} (\`${row.id}\`)\n${needs}\n${finds}\n`;
  });
  return `${head}\n${sections.join("\n")}`;
}

const head = `# What dsm doctor finds

Made from the table of checks in packages/cli by \`bun run docs\`. Do not edit it by hand.

Each check runs by itself, beside the others, and has ${checkTimeoutMs / 1_000} seconds. What it cannot look at from here is \`skipped\`, with the reason. With \`--json\` each finding has \`check\` (the word in brackets below), \`level\` (\`error\`, \`warning\`, \`skipped\`, \`ok\`), \`object\`, \`what\` and \`remedy\`. How to run it: [OPERATIONS.md](OPERATIONS.md).
`;

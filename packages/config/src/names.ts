import { type ConfigRole, type Option, type Section, sections } from "./option.ts";
import { options } from "./options.ts";

/** An option of the table with all its written names. */
export interface NamedOption {
  readonly section: Section;
  readonly key: string;
  /** `--trash-grace`; undefined for a confidential option. */
  readonly flag: string | undefined;
  /** `DSM_TRASH_GRACE`. */
  readonly env: string;
  /** `trash_grace`. */
  readonly tomlKey: string;
  /** The roles that read it. */
  readonly roles: readonly ConfigRole[];
  readonly option: Option<unknown>;
}

/** All options, section by section, in the order of the table. */
export const namedOptions: readonly NamedOption[] = sections.flatMap((section) =>
  Object.entries<TableRow>(options[section]).map(([key, row]) => nameOption(section, key, row)),
);

type TableRow = Option<unknown> & { readonly roles?: readonly ConfigRole[] };

function nameOption(section: Section, key: string, option: TableRow): NamedOption {
  // An option in a role's own section is that role's alone.
  const roles = option.roles ?? (section === "common" ? [] : [section]);
  // The written value carries its unit, so the written name leaves it out.
  const words = key.replace(/(Ms|Bytes)$/, "").split(/(?=[A-Z])/);
  const snake = words.join("_").toLowerCase();
  return {
    section,
    key,
    flag: flagOf(option, snake),
    env: `DSM_${snake.toUpperCase()}`,
    tomlKey: snake,
    roles,
    option,
  };
}

function flagOf(option: Option<unknown>, snake: string): string | undefined {
  if (option.confidential === true) return undefined;
  return option.flag ?? `--${snake.replaceAll("_", "-")}`;
}

/** The options that a role reads. */
export function optionsOf(role: ConfigRole): NamedOption[] {
  return namedOptions.filter((it) => it.roles.includes(role));
}

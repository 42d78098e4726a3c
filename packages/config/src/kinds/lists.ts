import { isName, type LinkKey, linkKeyRule, readLinkKey, showLinkKey } from "@dsm/protocol";
import { type Kind, notA, type Reading, textKind } from "./kind.ts";

const itemsMax = 256;

/** Several values: separated by commas as text, a list in TOML. No value stands twice. */
export function list<T>(item: Kind<T>, minItems: number): Kind<readonly T[]> {
  const readAll = (items: readonly unknown[], read: (it: never) => Reading<T>) => {
    if (items.length < minItems) return { fault: "it is empty" };
    if (items.length > itemsMax) return { fault: `it has more than ${itemsMax} values` };
    const values: T[] = [];
    const seen = new Set<string>();
    for (const [index, it] of items.entries()) {
      const reading = read(it as never);
      if ("fault" in reading) return { fault: `value ${index + 1} is wrong: ${reading.fault}` };
      const written = item.toText(reading.value);
      // Not named: it may be a secret.
      if (seen.has(written)) return { fault: `value ${index + 1} stands there before` };
      seen.add(written);
      values.push(reading.value);
    }
    return { value: values };
  };
  return {
    rule: `a list of values separated by commas, each ${item.rule}`,
    hint: `${item.hint},…`,
    fromText: (text) => {
      const items = text.trim() === "" ? [] : text.split(",");
      return readAll(items, (it: string) => item.fromText(it.trim()));
    },
    fromToml: (value) =>
      Array.isArray(value)
        ? readAll(value, (it: unknown) => item.fromToml(it))
        : notA("list", value),
    toText: (values) => values.map((it) => item.toText(it)).join(","),
    toToml: (values) => `[${values.map((it) => item.toToml(it)).join(", ")}]`,
  };
}

export interface Mount {
  readonly group: string;
  /** Absolute. */
  readonly folder: string;
}

/** A group and the folder where its file system is mounted on this machine. */
export const mount: Kind<Mount> = textKind({
  rule: "GROUP=FOLDER with an absolute folder, as in g1=/mnt/g1",
  hint: "GROUP=FOLDER",
  read: (written) => {
    const [, group, folder] = /^([^=]*)=(.*)$/s.exec(written) ?? [];
    if (group === undefined || folder === undefined) return { fault: "it has no =" };
    if (!isName(group)) return { fault: `${JSON.stringify(group)} is no group name` };
    if (!folder.startsWith("/")) return { fault: "its folder is not absolute" };
    return { value: { group, folder } };
  },
  show: ({ group, folder }) => `${group}=${folder}`,
});

/** A key for signed links. */
export const linkKey: Kind<LinkKey> = textKind({
  rule: linkKeyRule,
  hint: "ID:SECRET",
  read: readLinkKey,
  show: showLinkKey,
});

import { DsmError, isName } from "@dsm/protocol";
import { type Kind, notA, type Reading, tomlString } from "./kind.ts";

const deliveryModes = ["auto", "local", "redirect", "proxy"] as const;
type DeliveryMode = (typeof deliveryModes)[number];

/** How each group reaches the public. */
export interface Deliveries {
  readonly byGroup: ReadonlyMap<string, DeliveryMode>;
  readonly others: DeliveryMode;
}

const modesText = deliveryModes.join(", ");
const defaultMode: DeliveryMode = "auto";

/** `MODE` for all groups, or a list of `GROUP=MODE` with one bare `MODE` for the others. */
export const deliveries: Kind<Deliveries> = {
  rule: `one of ${modesText}, or GROUP=MODE for single groups, as in auto,g1=redirect`,
  hint: "MODE|GROUP=MODE,…",
  fromText: (text) => readAll(text.split(",").map((entry) => entry.trim())),
  fromToml: (value) => {
    if (typeof value === "string") return readAll([value]);
    return Array.isArray(value) ? readAll(value) : notA("string or list", value);
  },
  toText: (value) => entriesOf(value).join(","),
  toToml: (value) => {
    const entries = entriesOf(value).map(tomlString);
    return entries.length === 1 ? entries.join() : `[${entries.join(", ")}]`;
  },
};

const entriesMax = 256;

function readAll(entries: readonly unknown[]): Reading<Deliveries> {
  if (entries.length > entriesMax) return { fault: `it has more than ${entriesMax} values` };
  if (entries.length === 0) return { fault: "it is empty" };
  const byGroup = new Map<string, DeliveryMode>();
  let others: DeliveryMode | undefined;
  for (const entry of entries) {
    if (typeof entry !== "string") return notA("string", entry);
    const [, group, written = ""] = /^(?:([^=]*)=)?(.*)$/s.exec(entry) ?? [];
    const mode = deliveryModes.find((it) => it === written);
    if (mode === undefined) {
      return { fault: `${JSON.stringify(written)} is none of ${modesText}` };
    }
    if (group === undefined) {
      if (others !== undefined) return { fault: "it has two modes without a group" };
      others = mode;
      continue;
    }
    if (!isName(group)) return { fault: `${JSON.stringify(group)} is no group name` };
    if (byGroup.has(group)) return { fault: `it names the group ${group} twice` };
    byGroup.set(group, mode);
  }
  return { value: { byGroup, others: others ?? defaultMode } };
}

function entriesOf({ others, byGroup }: Deliveries): string[] {
  return [others, ...[...byGroup].map(([group, mode]) => `${group}=${mode}`)];
}

/** The value of a flag of its own. @throws DsmError USAGE */
export function parseDeliveries(flag: string, written: string): Deliveries {
  const reading = deliveries.fromText(written);
  if ("value" in reading) return reading.value;
  const message = `${flag}: ${JSON.stringify(written)} is wrong: ${reading.fault}`;
  throw new DsmError("USAGE", message, { remedy: `give ${deliveries.rule}` });
}

import { DsmError } from "@dsm/protocol";
import { askTrackers } from "../doctor/ask-trackers.ts";
import { countLevels, findingLines } from "../doctor/lines.ts";
import { runChecks } from "../doctor/run-checks.ts";
import { namedSubject } from "../doctor/subject.ts";
import { clusterArgs } from "../find-cluster.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";

const unreachable = new DsmError("UNREACHABLE", "no tracker answers");

function isSilence(fault: DsmError | undefined): boolean {
  return fault?.code === "UNREACHABLE" || fault?.code === "TIMEOUT";
}

export const doctor = command({
  args: {
    catalog: {
      type: "string",
      valueHint: "URL",
      description: "The catalog. (Default: DSM_CATALOG, the config file)",
    },
    "id-servers": {
      type: "string",
      valueHint: "HOST:PORT,…",
      description: "The ID servers. (Default: DSM_ID_SERVERS, the config file)",
    },
    gateway: {
      type: "string",
      valueHint: "URL,…",
      description: "Gateways to ask as well, by their own or by a virtual address.",
    },
    media: {
      type: "string",
      valueHint: "URL,…",
      description: "Files as players get them, from dsm url: a piece of each is read.",
    },
    ...clusterArgs,
  },
  async run({ args, json, signal }) {
    const { endpoints, ...named } = await namedSubject(args);
    const trackers = await askTrackers(endpoints, named.secret);
    const findings = await runChecks({ ...named, trackers }, signal);
    const counts = countLevels(findings);
    await sayResult(json, { findings, counts }, findingLines(findings));
    if (trackers.every(({ fault }) => isSilence(fault))) return unreachable.exit;
    return counts.error === 0 ? 0 : 1;
  },
});

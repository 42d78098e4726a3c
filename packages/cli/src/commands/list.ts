import { type FileInfo, limits } from "@dsm/protocol";
import { damageText } from "../damage-text.ts";
import { clusterArgs } from "../find-cluster.ts";
import { quoted } from "../quoted.ts";
import { warn } from "../report.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { sizeText, tableLines, timeText } from "../table.ts";
import { userArg } from "../user-arg.ts";
import { wholeNumber } from "../whole-number.ts";
import { withClient } from "../with-client.ts";

export const list = command({
  args: {
    ...userArg,
    prefix: { type: "string", valueHint: "PREFIX", description: "Only ids that begin with it." },
    limit: {
      type: "string",
      valueHint: "N",
      default: String(limits.listDefault),
      description: `At most so many, up to ${limits.listMax}.`,
    },
    after: { type: "string", valueHint: "ID", description: "Only ids behind this one." },
    ...clusterArgs,
  },
  async run({ args, json }) {
    const query = {
      user: args.user,
      limit: wholeNumber("--limit", args.limit, 1, limits.listMax),
      ...(args.prefix === undefined ? {} : { prefix: args.prefix }),
      ...(args.after === undefined ? {} : { after: args.after }),
    };
    const page = await withClient(args, (client) => client.list(query));
    await sayResult(json, page, page.files.length === 0 ? [] : tableOf(page.files));
    if (page.next !== undefined && !json) warn(`dsm: there are more: --after ${quoted(page.next)}`);
    return 0;
  },
});

function tableOf(files: readonly FileInfo[]): string[] {
  const expires = files.some((it) => it.expiresAtMs !== undefined);
  const damaged = files.some((it) => it.damage !== undefined);
  const rows = files.map((it) => [
    sizeText(it.sizeBytes).padStart(10),
    timeText(it.modifiedAtMs),
    ...(expires ? [it.expiresAtMs === undefined ? "never" : timeText(it.expiresAtMs)] : []),
    ...(damaged ? [it.damage === undefined ? "no" : damageText(it.damage)] : []),
    it.mediaType,
    it.fileId,
  ]);
  const head = [
    "SIZE".padStart(10),
    "MODIFIED",
    ...(expires ? ["EXPIRES"] : []),
    ...(damaged ? ["DAMAGED"] : []),
  ];
  return tableLines([[...head, "TYPE", "FILE"], ...rows]);
}

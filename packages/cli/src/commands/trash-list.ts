import { DsmError, isBlobId, limits, type TrashedFile } from "@dsm/protocol";
import { clusterArgs } from "../find-cluster.ts";
import { quoted } from "../quoted.ts";
import { warn } from "../report.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { sizeText, tableLines, timeText } from "../table.ts";
import { userArg } from "../user-arg.ts";
import { wholeNumber } from "../whole-number.ts";
import { withClient } from "../with-client.ts";

export const trashList = command({
  args: {
    ...userArg,
    prefix: { type: "string", valueHint: "PREFIX", description: "Only ids that begin with it." },
    limit: {
      type: "string",
      valueHint: "N",
      default: String(limits.listDefault),
      description: `At most so many, up to ${limits.listMax}.`,
    },
    after: { type: "string", valueHint: "BLOB", description: "Only blobs behind this one." },
    ...clusterArgs,
  },
  async run({ args, json }) {
    const { user, prefix, after } = args;
    const query = {
      user,
      limit: wholeNumber("--limit", args.limit, 1, limits.listMax),
      ...(prefix === undefined ? {} : { prefix }),
      ...(after === undefined ? {} : { after: blobId("--after", after) }),
    };
    const page = await withClient(args, (client) => client.trash(query));
    await sayResult(json, page, page.blobs.length === 0 ? [] : tableOf(page.blobs));
    if (page.next !== undefined && !json) warn(`dsm: there are more: --after ${quoted(page.next)}`);
    return 0;
  },
});

/** The value of a flag as the id of a blob. @throws DsmError USAGE */
export function blobId(flag: string, written: string) {
  if (isBlobId(written)) return written;
  throw new DsmError("USAGE", `${flag}: ${JSON.stringify(written)} is no blob id`, {
    remedy: "give 16 hex digits, as dsm trash list shows them",
  });
}

function tableOf(blobs: readonly TrashedFile[]): string[] {
  const rows = blobs.map(({ file, trashedAtMs, wasDeleted }) => [
    sizeText(file.sizeBytes).padStart(10),
    timeText(trashedAtMs),
    wasDeleted ? "deleted" : "replaced",
    file.blobId,
    file.fileId,
  ]);
  return tableLines([["SIZE".padStart(10), "SINCE", "WHY", "BLOB", "FILE"], ...rows]);
}

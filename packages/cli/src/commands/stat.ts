import { damageText } from "../damage-text.ts";
import { clusterArgs } from "../find-cluster.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { sizeText, tableLines, timeText } from "../table.ts";
import { userArg } from "../user-arg.ts";
import { withClient } from "../with-client.ts";

export const stat = command({
  args: {
    fileid: { type: "positional", required: true, description: "The file." },
    ...userArg,
    ...clusterArgs,
  },
  async run({ args, json, signal }) {
    const file = await withClient(args, (client) =>
      client.stat(args.user, args.fileid, { signal }),
    );
    const lines = tableLines([
      ["user", file.user],
      ["file", file.fileId],
      ["size", `${file.sizeBytes} bytes (${sizeText(file.sizeBytes)})`],
      ["type", file.mediaType],
      ["sha256", file.sha256],
      ["modified", timeText(file.modifiedAtMs)],
      ...(file.expiresAtMs === undefined ? [] : [["expires", timeText(file.expiresAtMs)]]),
      ...(file.damage === undefined
        ? []
        : [["damaged", `${damageText(file.damage)}: see dsm scrub`]]),
      ["version", String(file.version)],
      ["group", file.group],
      ["blob", file.blobId],
    ]);
    await sayResult(json, file, lines);
    return 0;
  },
});

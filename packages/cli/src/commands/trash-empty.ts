import type { DsmClient } from "@dsm/client";
import { assertFileId, assertUser, DsmError } from "@dsm/protocol";
import { confirmed } from "../confirm.ts";
import { forEach } from "../each.ts";
import { clusterArgs } from "../find-cluster.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { sizeText } from "../table.ts";
import { userArg } from "../user-arg.ts";
import { withClient } from "../with-client.ts";
import { workBar } from "../work-bar.ts";

export const trashEmpty = command({
  args: {
    "fileid…": { type: "positional", required: false, description: "The files. (Default: all)" },
    ...userArg,
    yes: { type: "boolean", description: "Do not ask." },
    ...clusterArgs,
  },
  async run({ args, positionals, json, signal }) {
    const { user } = args;
    assertUser(user);
    for (const fileId of positionals) assertFileId(fileId);
    return withClient(args, async (client) => {
      if (args.yes !== true) await assertWanted(client, user, positionals.length, signal);
      using bar = workBar(json);
      const sum = { blobs: 0, bytes: 0, kept: 0 };
      const fileIds = positionals.length === 0 ? [undefined] : positionals;
      const { failed, exit } = await forEach(fileIds, { json, signal }, async (fileId) => {
        const before = sum.blobs;
        const onProgress = ({ blobs }: { blobs: number }) =>
          bar.show({ doing: "emptying the trash", done: before + blobs, total: 0, unit: "blobs" });
        const only = fileId === undefined ? {} : { fileId };
        const emptied = await client.emptyTrash({ user, ...only, onProgress, signal });
        sum.blobs += emptied.blobs;
        sum.bytes += emptied.bytes;
        sum.kept += emptied.kept;
      });
      bar[Symbol.dispose]();
      // Where nothing but failures came of it, they are all that there is to say.
      const isNothing = failed > 0 && sum.blobs === 0 && sum.kept === 0;
      const kept = sum.kept === 0 ? "" : `; ${sum.kept} came in meanwhile and are left`;
      const line = `removed ${sum.blobs} blobs, ${sizeText(sum.bytes)}${kept}`;
      await sayResult(json, { ...sum, failed }, isNothing ? [] : [line]);
      return exit;
    });
  },
});

/** @throws DsmError USAGE when nobody says yes */
async function assertWanted(
  client: DsmClient,
  user: string,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const { trashBlobs, trashBytes } = await client.usage(user);
  const all = `all ${trashBlobs} blobs (${sizeText(trashBytes)}) in the trash`;
  const what = count === 0 ? all : `what the trash has of ${count} files`;
  if (await confirmed(`Remove ${what} of user ${user} for good?`, signal)) return;
  throw new DsmError("USAGE", "nothing was removed", { remedy: "answer y, or give --yes" });
}

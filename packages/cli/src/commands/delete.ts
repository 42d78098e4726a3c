import { assertFileId, assertUser } from "@dsm/protocol";
import { forEach } from "../each.ts";
import { clusterArgs } from "../find-cluster.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { userArg } from "../user-arg.ts";
import { withClient } from "../with-client.ts";

export const deleteFiles = command({
  args: {
    "fileid…": { type: "positional", required: true, description: "The files." },
    ...userArg,
    ...clusterArgs,
  },
  async run({ args, positionals, json, signal }) {
    assertUser(args.user);
    for (const fileId of positionals) assertFileId(fileId);
    const deleted: string[] = [];
    const { failed, exit } = await withClient(args, (client) =>
      forEach(positionals, { json, signal }, async (fileId) => {
        await client.delete({ user: args.user, fileId, signal });
        deleted.push(fileId);
      }),
    );
    const summary = `deleted ${deleted.length} of ${positionals.length} files`;
    await sayResult(json, { deleted, failed }, failed === 0 ? [] : [summary]);
    return exit;
  },
});

import { assertFileId, assertUser, type FileInfo } from "@dsm/protocol";
import { forEach } from "../each.ts";
import { clusterArgs } from "../find-cluster.ts";
import { warn } from "../report.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { usage } from "../strict-args.ts";
import { sizeText } from "../table.ts";
import { ttlArg, ttlOf } from "../ttl-arg.ts";
import { userArg } from "../user-arg.ts";
import { withClient } from "../with-client.ts";
import { blobId } from "./trash-list.ts";

export const trashRestore = command({
  args: {
    "fileid…": { type: "positional", required: true, description: "The files." },
    ...userArg,
    blob: {
      type: "string",
      valueHint: "BLOB",
      description: "Which version of the one file. (Default: the newest in the trash)",
    },
    as: { type: "string", valueHint: "FILEID", description: "Another id for the one file." },
    overwrite: { type: "boolean", description: "Replace files that exist." },
    ...ttlArg,
    ...clusterArgs,
  },
  async run({ args, positionals, json, signal }) {
    const { user, as } = args;
    assertUser(user);
    for (const fileId of positionals) assertFileId(fileId);
    if (as !== undefined) assertFileId(as);
    if (positionals.length > 1 && (args.blob !== undefined || as !== undefined)) {
      throw usage("dsm trash restore", "--blob and --as are for one file");
    }
    const terms = {
      user,
      overwrite: args.overwrite === true,
      signal,
      ...(args.blob === undefined ? {} : { blobId: blobId("--blob", args.blob) }),
      ...(as === undefined ? {} : { as }),
      ...ttlOf(args),
    };
    const files: FileInfo[] = [];
    const { failed, exit } = await withClient(args, (client) =>
      forEach(positionals, { json, signal }, async (fileId) => {
        const { file } = await client.restore({ ...terms, fileId });
        files.push(file);
        if (file.damage !== undefined) warn(`dsm: ${file.fileId} is damaged: see dsm scrub`);
        if (!json) await sayResult(false, file, [`${file.fileId}  ${sizeText(file.sizeBytes)}`]);
      }),
    );
    if (json) await sayResult(true, { files, failed }, []);
    else if (positionals.length > 1) {
      warn(`dsm: restored ${files.length} of ${positionals.length} files`);
    }
    return exit;
  },
});

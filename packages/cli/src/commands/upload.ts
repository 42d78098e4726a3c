import { type DsmClient, fileSource, streamSource } from "@dsm/client";
import { assertUser, type FileInfo } from "@dsm/protocol";
import { forEach } from "../each.ts";
import { clusterArgs } from "../find-cluster.ts";
import { progressBar } from "../progress.ts";
import { warn } from "../report.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { sizeText } from "../table.ts";
import { type PlannedUpload, planUploads } from "../upload/plan.ts";
import { ttlArg, ttlOf } from "../ttl-arg.ts";
import { userArg } from "../user-arg.ts";
import { withClient } from "../with-client.ts";

export const upload = command({
  args: {
    "path…": { type: "positional", required: true, description: "Files, folders, or - for stdin." },
    ...userArg,
    id: { type: "string", valueHint: "FILEID", description: "The id of the one file." },
    overwrite: { type: "boolean", description: "Replace files that exist." },
    type: { type: "string", valueHint: "MIME", description: "The media type, as video/mp4." },
    ...ttlArg,
    ...clusterArgs,
  },
  async run({ args, positionals, json, signal }) {
    assertUser(args.user);
    const { uploads, skipped } = await planUploads(positionals, args.id);
    for (const words of skipped) warn(`dsm: ${words}`);
    const options = {
      user: args.user,
      overwrite: args.overwrite === true,
      json,
      signal,
      ...(args.type === undefined ? {} : { mediaType: args.type }),
      ...ttlOf(args),
    };
    const files: FileInfo[] = [];
    const { failed, exit } = await withClient(args, (client) =>
      forEach(uploads, { json, signal }, async (planned) => {
        const file = await uploadOne(client, planned, options);
        files.push(file);
        if (!json) await sayResult(false, file, [`${file.fileId}  ${sizeText(file.sizeBytes)}`]);
      }),
    );
    const summary = `uploaded ${files.length} of ${uploads.length} files`;
    if (json) await sayResult(true, { files, failed, skipped }, []);
    else if (uploads.length !== 1) warn(`dsm: ${summary}`);
    return exit;
  },
});

interface UploadTerms {
  readonly user: string;
  readonly overwrite: boolean;
  readonly mediaType?: string;
  readonly ttlMs?: number;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** The storage compares SHA-256s before it commits: of a file known before, of stdin at its end. */
async function uploadOne(
  client: DsmClient,
  { path, fileId }: PlannedUpload,
  { json, ...request }: UploadTerms,
): Promise<FileInfo> {
  const source = path === "-" ? streamSource(Bun.stdin.stream()) : await fileSource(path);
  using progress = progressBar(fileId, source.sizeBytes, json);
  const onProgress = (sentBytes: number) => progress.at(sentBytes);
  const { file } = await client.upload({ ...request, fileId, source, onProgress });
  return file;
}

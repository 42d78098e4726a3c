import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { DsmClient } from "@dsm/client";
import { DsmError, type FileInfo } from "@dsm/protocol";
import { assertFree, digestDiffers, PartFile } from "../download/part-file.ts";
import { clusterArgs } from "../find-cluster.ts";
import { progressBar } from "../progress.ts";
import { say, sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { usage } from "../strict-args.ts";
import { sizeText } from "../table.ts";
import { userArg } from "../user-arg.ts";
import { withClient } from "../with-client.ts";

export const download = command({
  args: {
    fileid: { type: "positional", required: true, description: "The file." },
    ...userArg,
    out: {
      type: "string",
      alias: "o",
      valueHint: "PATH",
      description: "Where to: a file, a folder, or - for stdout. (Default: the base name, here)",
    },
    force: { type: "boolean", description: "Replace a file that exists." },
    ...clusterArgs,
  },
  async run({ args, json, signal }) {
    const { user, fileid: fileId, out } = args;
    if (out === "-" && json) {
      throw usage("dsm download", "--json and -o - would both write to stdout");
    }
    return withClient(args, async (client) => {
      if (out === "-") {
        await toStdout(client, { user, fileId, signal });
        return 0;
      }
      const target = await targetOf(out, fileId);
      if (args.force !== true) await assertFree(target);
      const request = { user, fileId, signal, target, force: args.force === true, json };
      const file = await toFile(client, request);
      const line = `${target}  ${sizeText(file.sizeBytes)}`;
      await sayResult(json, { path: target, file }, [line]);
      return 0;
    });
  },
});

interface Wanted {
  readonly user: string;
  readonly fileId: string;
  readonly signal: AbortSignal;
}

async function toStdout(client: DsmClient, wanted: Wanted): Promise<void> {
  const { file, body } = await client.open(wanted);
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of body) {
    hasher.update(chunk);
    await say(chunk);
  }
  const sha256 = hasher.digest("hex");
  if (sha256 !== file.sha256) throw digestDiffers(file, sha256);
}

async function toFile(
  client: DsmClient,
  request: Wanted & { target: string; force: boolean; json: boolean },
): Promise<FileInfo> {
  const { user, fileId, signal, target, force, json } = request;
  const file = await client.stat(user, fileId, { signal });
  const part = new PartFile(target, file);
  await part.resume(signal);
  using progress = progressBar(fileId, file.sizeBytes, json);
  try {
    const start = part.sizeBytes;
    const { body } = await client.open({ user, fileId, file, start, signal });
    await part.append(body, (bytes) => progress.at(bytes));
  } catch (error) {
    // That version is gone for good, so nobody will ever continue this part.
    if (error instanceof DsmError && error.code === "PRECONDITION_FAILED") await part.discard();
    throw error;
  }
  await part.finish(force);
  return file;
}

/** A folder as target takes the base name of the file. */
async function targetOf(out: string | undefined, fileId: string): Promise<string> {
  const name = basename(fileId);
  if (out === undefined) return name;
  const isFolder = await stat(out).then(
    (it) => it.isDirectory(),
    () => false,
  );
  return isFolder ? join(out, name) : out;
}

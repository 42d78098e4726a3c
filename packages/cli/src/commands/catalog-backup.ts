import { openCatalog } from "@dsm/catalog";
import { DsmError } from "@dsm/protocol";
import { BackupFile, writeBackup } from "@dsm/recovery";
import { catalogArgs, existingCatalog } from "../catalog/catalog-url.ts";
import { warn } from "../report.ts";
import { ClosedPipe, say, sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { workBar } from "../work-bar.ts";

export const catalogBackup = command({
  args: {
    file: {
      type: "positional",
      required: true,
      description: "Where to; compressed when it ends in .gz or .zst. - for stdout.",
    },
    overwrite: { type: "boolean", description: "Replace the file when it exists." },
    ...catalogArgs,
  },
  async run({ args, json, signal }) {
    const overwrite = args.overwrite === true;
    const file = args.file === "-" ? undefined : await BackupFile.create(args.file, { overwrite });
    await using stack = new AsyncDisposableStack();
    if (file !== undefined) stack.use(file);
    const catalog = stack.use(await openCatalog(await existingCatalog(args)));
    const bar = stack.use(workBar(json));
    const result = await writeBackup(catalog, {
      write: (chunk) => (file === undefined ? toStdout(chunk) : file.write(chunk)),
      onProgress: (progress) => bar.show(progress),
      signal,
    });
    await file?.finish();
    bar[Symbol.dispose]();
    const words = `${result.users} users and ${result.versions} versions are in the backup`;
    // Stdout holds the backup itself then.
    if (file === undefined) warn(json ? JSON.stringify(result) : `dsm: ${words}`);
    else await sayResult(json, result, [words]);
    return 0;
  },
});

/** A backup of which only a part was wanted is none. */
async function toStdout(chunk: Buffer): Promise<void> {
  try {
    await say(chunk);
  } catch (cause) {
    if (!(cause instanceof ClosedPipe)) throw cause;
    throw new DsmError("STORAGE_FAILED", "the backup was not read to its end", {
      remedy: "look at the command behind the pipe",
      cause,
    });
  }
}

import { blobIdFromNumber, DsmError, type FileInfo } from "@dsm/protocol";
import { type CommitOutcome, openCatalog, type PutChange } from "../index.ts";

const rounds = 12;
const batchSize = 4;
const sizeBytes = 10;
const triesMax = 10;

/** On a busy machine SQLite may stay locked for longer than it waits: all may be tried again. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const isBusy = error instanceof DsmError && error.retryable;
      if (!isBusy || tries === triesMax) throw error;
    }
  }
}

/**
 * One of several processes that fill the quota of one user at once, replace what they wrote, and
 * all reap the same trash. Prints how many new files are in force.
 */
async function race(args: string[]): Promise<number> {
  const [url = "", user = "", group = "", process = ""] = args;
  await using catalog = await openCatalog(url);
  let id = (Number(process) + 1) * 2 ** 30;
  const put = (fileId: string, before?: FileInfo): PutChange => {
    const file: FileInfo = {
      user,
      group,
      fileId,
      blobId: blobIdFromNumber(++id),
      version: (before?.version ?? 0) + 1,
      sizeBytes,
      sha256: "ef".repeat(32),
      mediaType: "image/png",
      modifiedAtMs: id,
    };
    return { kind: "put", file, ...(before === undefined ? {} : { replaces: before.blobId }) };
  };
  let made = 0;
  for (let round = 0; round < rounds; round++) {
    const batch = Array.from({ length: batchSize }, (_, i) => put(`${process}-${round}-${i}`));
    const outcomes: CommitOutcome[] = await patiently(() => catalog.commit(batch));
    const files = batch.flatMap(({ file }, i) => (outcomes[i] === "in force" ? [file] : []));
    made += files.length;
    // As large as before: a user whose quota is full may still do that.
    const again = files.map((file) => put(file.fileId, file));
    const replaced = await patiently(() => catalog.commit(again));
    if (replaced.some((outcome) => outcome !== "in force")) throw new Error(replaced.join());
    const due = await catalog.trashed({ group, beforeMs: 2 ** 50, limit: 20 });
    for (const blob of due) await patiently(() => catalog.forgetTrashed(blob));
  }
  return made;
}

if (import.meta.main) console.log(JSON.stringify(await race(Bun.argv.slice(2))));

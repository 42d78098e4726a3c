import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { limits, systemErrorCode } from "@dsm/protocol";
import { decodeRecord, type JournalRecord } from "./journal-record.ts";
import { LineSplitter } from "./line-splitter.ts";
import { type JournalPart, journalParts } from "./parts.ts";

/** One line of a journal: a record, or what is wrong with it. */
export type JournalLine = JournalPlace &
  ({ readonly record: JournalRecord } | { readonly damage: string });

export interface JournalPlace {
  /** Relative to the root of the group. */
  readonly path: string;
  /** From 1; 0 for what is wrong with the file as a whole. */
  readonly line: number;
}

interface ReadOptions {
  /** Only the journal of this storage. */
  readonly storageId?: string;
}

const chunkBytes = 256 * 1024;

/**
 * Streams every record of a group in constant memory, also while storages append. Records of one
 * storage come in the order in which they were written; between storages only versions order
 * them. A damaged line is told of in its place and what follows is read on. A last line that has
 * no end is no damage: a crash leaves it behind, and nothing in it was ever acknowledged.
 * @throws DsmError STORAGE_FAILED when the folders of the journals cannot be read
 */
export async function* readRecords(
  root: string,
  { storageId }: ReadOptions = {},
): AsyncGenerator<JournalLine, void, undefined> {
  for (const part of await journalParts(root, storageId)) yield* readPart(root, part);
}

/** The lines of one part; what cannot be read is one more damaged line. */
export async function* readPart(
  root: string,
  { path }: Pick<JournalPart, "path">,
): AsyncGenerator<JournalLine, void, undefined> {
  let line = 0;
  try {
    await using file = await openPart(join(root, path));
    if (file === undefined) return;
    const splitter = new LineSplitter(limits.journalRecordMaxBytes);
    for await (const chunk of chunksOf(file)) {
      for (const text of splitter.split(chunk)) yield toLine(path, ++line, text);
    }
    const last = lastLine(path, ++line, splitter);
    if (last !== undefined) yield last;
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === undefined) throw cause;
    yield { path, line, damage: `what follows cannot be read: ${code}` };
  }
}

/** Undefined for a part that was removed after it had been listed. */
async function openPart(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Each chunk is good until the next one is asked for. */
async function* chunksOf(file: FileHandle): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/**
 * A last line without an end was cut by a crash, or is being written at this moment: no fault.
 * But where only its last byte is wrong, it had an end once; and a whole record counts.
 */
function lastLine(path: string, line: number, splitter: LineSplitter): JournalLine | undefined {
  if (splitter.endsTooLong) return toLine(path, line, undefined);
  const { rest } = splitter;
  const record = decodeRecord(rest);
  if (record !== undefined) return { path, line, record };
  if (decodeRecord(rest.slice(0, -1)) === undefined) return undefined;
  return { path, line, damage: "its end is not that of a line" };
}

/** @param text undefined for a line that is longer than any record */
function toLine(path: string, line: number, text: string | undefined): JournalLine {
  if (text === undefined) {
    return { path, line, damage: `it has more than ${limits.journalRecordMaxBytes} bytes` };
  }
  const record = decodeRecord(text);
  return record === undefined ? { path, line, damage: reasonOf(text) } : { path, line, record };
}

/** JSON escapes a NUL, so bytes that are 0 were never written. */
function reasonOf(text: string): string {
  if (text.includes("\0")) return "it holds zeros, which a disk leaves that lost what was written";
  if (!/^[0-9a-f]{8} \{/.test(text)) return "it does not begin as a record does";
  return "its checksum or its form is wrong";
}

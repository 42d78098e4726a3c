import { LineSplitter } from "@dsm/journal";
import { DsmError } from "@dsm/protocol";
import type { z } from "zod";
import {
  badBackup,
  backupFormat,
  type BackupRow,
  type Counts,
  footerSchema,
  type Header,
  headerSchema,
  lineMaxBytes,
  oldestBackupFormat,
  rowSchema,
} from "./format.ts";

/** What a whole and sound backup says of itself. */
export interface BackupSummary extends Counts {
  readonly header: Header;
  /** Of all bytes before the footer. */
  readonly sha256: string;
}

/** Reads a backup line by line and checks all of it: form, counts and SHA-256. */
export class BackupReader {
  readonly #shown: string;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  readonly #counts = { segments: 0, groups: 0, users: 0, versions: 0 };
  readonly #splitter = new LineSplitter(lineMaxBytes);
  #line = 0;
  #header: Header | undefined;
  #footer: z.infer<typeof footerSchema>["end"] | undefined;

  /** @param shown the backup as errors name it */
  constructor(shown: string) {
    this.#shown = shown;
  }

  /** The rows of the lines that end in this chunk. @throws DsmError DATA_CORRUPT */
  *rows(chunk: Buffer): Generator<BackupRow, void, undefined> {
    for (const text of this.#splitter.split(chunk)) {
      this.#line++;
      if (text === undefined) {
        if (this.#header === undefined) throw this.#foreign();
        throw this.#bad(`has more than ${lineMaxBytes} bytes`);
      }
      if (this.#footer !== undefined) throw this.#bad("comes behind the end");
      const row = this.#take(text);
      if (row !== undefined) yield row;
    }
  }

  /** To be called behind the last chunk. @throws DsmError DATA_CORRUPT */
  end(): BackupSummary {
    const [header, footer] = [this.#header, this.#footer];
    if (header === undefined) throw this.#foreign();
    if (footer === undefined || this.#splitter.hasRest) {
      throw badBackup(this.#shown, `it is cut off behind line ${this.#line}`);
    }
    return { header, ...footer };
  }

  #take(text: string): BackupRow | undefined {
    const value = this.#parse(text);
    if (this.#header === undefined) {
      this.#header = this.#readHeader(value);
      this.#hasher.update(`${text}\n`);
      return undefined;
    }
    const row = rowSchema.safeParse(value);
    if (row.success) {
      this.#count(row.data);
      this.#hasher.update(`${text}\n`);
      return row.data;
    }
    const footer = footerSchema.safeParse(value);
    if (!footer.success) throw this.#bad("is no row of a catalog", row.error);
    this.#checkFooter(footer.data.end);
    return undefined;
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      if (this.#header === undefined) throw this.#foreign(cause);
      throw this.#bad("is no JSON", cause);
    }
  }

  #readHeader(value: unknown): Header {
    const header = headerSchema.safeParse(value);
    if (!header.success) throw this.#foreign(header.error);
    const { dsmBackup, softwareVersion } = header.data;
    if (dsmBackup >= oldestBackupFormat && dsmBackup <= backupFormat) return header.data;
    throw new DsmError(
      "DATA_CORRUPT",
      `${this.#shown} cannot be restored: it has format ${dsmBackup} of dsm ${softwareVersion}, ` +
        `and this dsm reads formats ${oldestBackupFormat} to ${backupFormat}`,
      { remedy: "restore it with the dsm that wrote it, or a newer one" },
    );
  }

  #checkFooter(footer: z.infer<typeof footerSchema>["end"]): void {
    for (const name of ["segments", "groups", "users", "versions"] as const) {
      if (footer[name] === this.#counts[name]) continue;
      throw this.#bad(`counts ${footer[name]} ${name}, and there are ${this.#counts[name]}`);
    }
    const sha256 = this.#hasher.digest("hex");
    if (sha256 !== footer.sha256) {
      throw this.#bad(`says that all before it has SHA-256 ${footer.sha256}, and it has ${sha256}`);
    }
    this.#footer = footer;
  }

  #count(row: BackupRow): void {
    if ("version" in row) this.#counts.versions++;
    else if ("user" in row) this.#counts.users++;
    else if ("group" in row) this.#counts.groups++;
    else this.#counts.segments++;
  }

  #foreign(cause?: unknown): DsmError {
    return badBackup(this.#shown, "it is no backup of a dsm catalog", cause);
  }

  #bad(what: string, cause?: unknown): DsmError {
    return badBackup(this.#shown, `line ${this.#line} ${what}`, cause);
  }
}

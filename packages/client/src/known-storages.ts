import {
  DsmError,
  type FileInfo,
  type Location,
  type RequestOf,
  type StorageAddress,
} from "@dsm/protocol";
import type { ReadRight } from "./read-right.ts";

export interface LocateOptions {
  /** What was named before did not answer: another tracker is asked first, which may know more. */
  readonly elsewhere: boolean;
  /** Storages of this group, where that need not be the user's. */
  readonly group?: string;
}

export interface LocatePort {
  locate(request: RequestOf<"locate">, options?: LocateOptions): Promise<Location>;
}

/** The storages that have one version, as one reader of it knows them. */
export class KnownStorages {
  readonly #port: LocatePort;
  #file: FileInfo;
  readonly #right: ReadRight;
  #storages: readonly StorageAddress[] | undefined;

  constructor(port: LocatePort, file: FileInfo, right: ReadRight, location?: Location) {
    this.#port = port;
    this.#file = file;
    this.#right = right;
    if (location !== undefined) this.#learn(location);
  }

  /**
   * Those that are known; a tracker is asked where none are.
   * @throws DsmError PRECONDITION_FAILED when the file is another version by now, …
   */
  async all(): Promise<readonly StorageAddress[]> {
    return this.#storages ?? (await this.#locate());
  }

  /**
   * Asks another tracker which storages of the group live now. By group and not by file: whoever
   * was let in to this version may read on when it was replaced or deleted.
   * @throws DsmError GROUP_UNAVAILABLE, …; the storages that were known stay so
   */
  async refresh(): Promise<void> {
    if (this.#storages === undefined) return;
    const { user, group } = this.#file;
    const request = { user, group, intent: "read" } as const;
    const location = await this.#port.locate(request, { elsewhere: true });
    if (location.group === group) this.#learn(location);
  }

  async #locate(): Promise<readonly StorageAddress[]> {
    const { user, fileId } = this.#file;
    const location = await this.#port.locate({ user, fileId, intent: "read" });
    if (this.#isSame(location)) return this.#learn(location);
    const what = `${JSON.stringify(fileId)} was replaced before it was read`;
    throw new DsmError("PRECONDITION_FAILED", what, { remedy: "read the version that it is now" });
  }

  /**
   * To be called when none of them has the bytes: the file may have moved since.
   * @returns whether the same bytes are in another group now
   */
  async follow(): Promise<boolean> {
    const { user, fileId, group } = this.#file;
    try {
      const location = await this.#port.locate({ user, fileId, intent: "read" });
      if (!this.#isSame(location) || location.group === group) return false;
      this.#learn(location);
      return true;
    } catch {
      // It was deleted, or nobody can say; the storages that were known may still have it.
      return false;
    }
  }

  /** A file that was moved is a later version with the same bytes. */
  #isSame({ file }: Location): boolean {
    const { sha256, sizeBytes } = this.#file;
    return file !== undefined && file.sha256 === sha256 && file.sizeBytes === sizeBytes;
  }

  #learn(location: Location): readonly StorageAddress[] {
    if (location.file !== undefined && location.file.blobId !== this.#file.blobId) {
      this.#file = location.file;
      this.#right.adopt(location.file);
    }
    this.#right.grant(location);
    return (this.#storages = location.storages);
  }
}

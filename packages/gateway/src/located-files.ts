import type { DsmClient, LocatedFile } from "@dsm/client";

/** Where files are, as trackers say. */
export class LocatedFiles {
  readonly #client: Pick<DsmClient, "locateFile">;

  constructor(client: Pick<DsmClient, "locateFile">) {
    this.#client = client;
  }

  /** @throws DsmError FILE_NOT_FOUND, USER_NOT_FOUND, GROUP_UNAVAILABLE, … */
  locate(user: string, fileId: string, signal: AbortSignal): Promise<LocatedFile> {
    return this.#client.locateFile(user, fileId, signal);
  }
}

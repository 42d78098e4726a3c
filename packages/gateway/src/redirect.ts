import type { LocatedFile } from "@dsm/client";
import { type ClusterSecret, DsmError, mediaPath, signCapability } from "@dsm/protocol";
import type { ReadGrant } from "./read-access.ts";
import type { StorageHealth } from "./storage-health.ts";

interface RedirectorOptions {
  readonly secret: ClusterSecret;
  /** How long the URL is good; VLC and browsers keep it for all their seeks. */
  readonly ttlMs: number;
  readonly health: Pick<StorageHealth, "firstUp">;
  readonly now?: () => number;
}

/** Sends readers to a storage, with a capability for exactly the bytes that they asked for. */
export class Redirector {
  readonly #options: RedirectorOptions;

  constructor(options: RedirectorOptions) {
    this.#options = options;
  }

  /**
   * 307, so that the method and the client's Range are kept (RFC 9110, section 15.4.8).
   * @throws DsmError GROUP_UNAVAILABLE when no storage answers
   */
  async respond(located: LocatedFile, grant: ReadGrant, download: boolean): Promise<Response> {
    const { file, location } = located;
    const storage = await this.#options.health.firstUp(location.storages);
    if (storage === undefined) {
      throw new DsmError("GROUP_UNAVAILABLE", `no storage of group ${file.group} answers`, {
        remedy: "try again in a second, and see dsm status",
      });
    }
    const capability = this.#capabilityFor(located, grant);
    // Behind a proxy of its own a storage may be reached below a path.
    const base = storage.publicUrl.replace(/\/+$/, "");
    const target = `${base}${mediaPath(file.user, file.fileId)}?capability=${capability}`;
    return new Response(null, {
      status: 307,
      headers: {
        location: download ? `${target}&download=1` : target,
        // It is for this client and for a while.
        "cache-control": "no-store",
        "content-length": "0",
      },
    });
  }

  #capabilityFor({ file }: LocatedFile, grant: ReadGrant): string {
    const { secret, ttlMs, now = Date.now } = this.#options;
    const { expiresAtMs = Infinity, clientAddress } = grant;
    return signCapability(secret, {
      intent: "read",
      user: file.user,
      group: file.group,
      fileId: file.fileId,
      file,
      expiresAtMs: Math.min(now() + ttlMs, expiresAtMs),
      isWatched: true,
      ...(grant.isPrivate ? {} : { isPublic: true }),
      ...(grant.downloadOnly ? { downloadOnly: true } : {}),
      ...(clientAddress === undefined ? {} : { clientAddress }),
    });
  }
}

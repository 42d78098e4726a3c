import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Catalog } from "@dsm/catalog";
import type { Log } from "@dsm/log";
import {
  type BlobId,
  blobPath,
  type ClusterSecret,
  type FileInfo,
  limits,
  mediaPath,
  signCapability,
  type StorageAddress,
} from "@dsm/protocol";
import { readPiece } from "./blob-reading.ts";

/** Where good bytes may be had. What it gives is not believed before it was checked. */
export interface HealSource {
  readonly name: string;
  /** Undefined where it has none, or does not answer. */
  read(start: number, endExclusive: number): Promise<Uint8Array | undefined>;
}

interface HealSourcesOptions {
  readonly root: string;
  readonly secret: ClusterSecret;
  readonly catalog: Pick<Catalog, "blobsWith">;
  /** The other members of the group that are online. */
  readonly others: () => Promise<readonly StorageAddress[]>;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * The other members of the group, whose bytes may come from another brick, and blobs with the same
 * content, live or in the trash.
 */
export async function healSources(
  file: FileInfo,
  options: HealSourcesOptions,
): Promise<HealSource[]> {
  const { catalog, others, root, log } = options;
  const members = await others();
  const equals = await catalog.blobsWith(file.user, file.sha256);
  const isElsewhere = (it: FileInfo) => it.group === file.group && it.blobId !== file.blobId;
  return [
    ...members.map((member) => memberSource(file, member, options)),
    ...equals.filter(isElsewhere).map(({ blobId }) => blobSource(root, blobId, log)),
  ];
}

/** What another storage has of a file, of this group or another one. */
export function memberSource(
  file: FileInfo,
  { storageId, dataUrl }: StorageAddress,
  { secret, log, signal }: Pick<HealSourcesOptions, "secret" | "log" | "signal">,
): HealSource {
  return {
    name: `storage ${storageId}`,
    async read(start, endExclusive) {
      const range = `${start}-${endExclusive - 1}`;
      try {
        const response = await fetch(new URL(mediaPath(file.user, file.fileId), dataUrl), {
          headers: {
            Authorization: `Bearer ${rawCapability(secret, file)}`,
            Range: `bytes=${range}`,
            "Accept-Encoding": "identity",
          },
          redirect: "error",
          signal: AbortSignal.any([signal, AbortSignal.timeout(limits.healTimeoutMs)]),
        });
        const isPart = response.headers.get("Content-Range") === `bytes ${range}/${file.sizeBytes}`;
        if (response.status === 206 && isPart) return await response.bytes();
        await response.body?.cancel();
        log.debug(
          { member: storageId, status: response.status },
          "a member does not have these bytes",
        );
      } catch (err) {
        signal.throwIfAborted();
        log.debug({ err, member: storageId }, "a member does not answer");
      }
      return undefined;
    },
  };
}

/** The bytes of that member's disk: of a blob in the trash, of an expired file, of a marked one. */
function rawCapability(secret: ClusterSecret, marked: FileInfo): string {
  const { damage: _damage, expiresAtMs: _expiresAtMs, ...file } = marked;
  const { user, fileId, group } = file;
  const expiresAtMs = Date.now() + limits.readRightTtlMs;
  return signCapability(secret, {
    intent: "read",
    user,
    fileId,
    group,
    file,
    expiresAtMs,
    isRaw: true,
  });
}

/** A blob of this group, from its disk. */
export function blobSource(root: string, blobId: BlobId, log: Log): HealSource {
  return {
    name: `blob ${blobId}`,
    async read(start, endExclusive) {
      try {
        await using handle = await open(join(root, blobPath(blobId)), "r");
        return await readPiece(handle, start, new Uint8Array(endExclusive - start));
      } catch (err) {
        log.debug({ err, blobId }, "scrub: a blob cannot be read");
        return undefined;
      }
    },
  };
}

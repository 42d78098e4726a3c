import {
  type ClusterSecret,
  type FileInfo,
  limits,
  type Location,
  signCapability,
} from "@dsm/protocol";

/**
 * The right to read one version, for as long as one reader takes. The tracker that located it
 * signed the first capability. When that nears its end the reader, who holds the cluster secret
 * as well, signs the next one for the very same blob. So a body that lasts for hours ends as it
 * began even if the file is replaced or deleted meanwhile, or no tracker can be asked; that takes
 * only the blob, which stays in the trash for `trash_grace`.
 *
 * So it is with a file that expires while it is read: the version that the reader signs for has
 * no expiry. Whoever begins to read must have looked whether it is still there.
 */
export class ReadRight {
  readonly #secret: ClusterSecret;
  #file: FileInfo;
  readonly #now: () => number;
  #capability: string | undefined;
  #expiresAtMs = 0;
  #isOwn = false;

  constructor(secret: ClusterSecret, file: FileInfo, now: () => number) {
    this.#secret = secret;
    this.#file = file;
    this.#now = now;
  }

  /** The same bytes lie under another id now. */
  adopt(file: FileInfo): void {
    this.#file = file;
    this.#capability = undefined;
    this.#isOwn = false;
  }

  /** A tracker located the file: its capability is used as long as it is good. */
  grant({ capability, expiresAtMs, file }: Location): void {
    if (this.#capability !== undefined || file?.blobId !== this.#file.blobId) return;
    this.#capability = capability;
    this.#expiresAtMs = Math.min(expiresAtMs, file.expiresAtMs ?? Infinity);
  }

  /** Good for `limits.readRightMarginMs` at least. */
  capability(): string {
    const nowMs = this.#now();
    const isGood = this.#expiresAtMs - nowMs >= limits.readRightMarginMs;
    return this.#capability !== undefined && isGood ? this.#capability : this.#sign(nowMs);
  }

  /** A storage refused it, as may be when its clock and the tracker's differ. */
  refused(capability: string): void {
    if (capability === this.#capability && !this.#isOwn) this.#sign(this.#now());
  }

  #sign(nowMs: number): string {
    const { expiresAtMs: _, ...file } = this.#file;
    const { user, fileId, group } = file;
    const expiresAtMs = nowMs + limits.readRightTtlMs;
    const claims = { intent: "read", user, fileId, group, file, expiresAtMs } as const;
    this.#isOwn = true;
    this.#expiresAtMs = expiresAtMs;
    return (this.#capability = signCapability(this.#secret, claims));
  }
}

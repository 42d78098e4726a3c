import type { Catalog } from "@dsm/catalog";
import { DsmError, limits, type UserUsage } from "@dsm/protocol";
import { LRUCache } from "lru-cache";

/** What a user has and may have; undefined where the catalog knows no such user. */
type Usage = Pick<UserUsage, "liveBytes" | "quotaBytes"> | undefined;

/** Deletes files of a user that have expired. @returns whether there is more room now */
export type MakeRoom = (user: string) => Promise<boolean>;

/**
 * Refuses uploads that would pass the quota of their user before their bytes are sent. The commit
 * decides for good, in the catalog's own transaction; this saves the transfer. That a user has no
 * quota is remembered for a moment, so that it costs no question for each upload, and small
 * uploads are not asked about at all: their bytes cost less than the question.
 */
export class QuotaGate {
  readonly #catalog: Pick<Catalog, "usageOf">;
  readonly #makeRoom: MakeRoom;
  readonly #unlimited = new LRUCache<string, true>({
    max: limits.usagesRememberedMax,
    ttl: limits.usageFreshnessMs,
  });

  constructor(catalog: Pick<Catalog, "usageOf">, makeRoom: MakeRoom) {
    this.#catalog = catalog;
    this.#makeRoom = makeRoom;
  }

  /**
   * @param announcedBytes undefined where nobody knows: then there must be room for one byte
   * @param replacedBytes what of the user goes when the upload is in force
   * @throws DsmError QUOTA_EXCEEDED
   */
  async admit(
    user: string,
    announcedBytes: number | undefined,
    replacedBytes: number,
  ): Promise<void> {
    const sizeBytes = announcedBytes ?? 1;
    const isSmall = announcedBytes !== undefined && sizeBytes <= limits.uploadAtOnceMaxBytes;
    if (isSmall || this.#unlimited.has(user)) return;
    for (let attempt = 1; ; attempt++) {
      const usage = await this.#catalog.usageOf(user);
      if (usage?.quotaBytes === undefined) this.#unlimited.set(user, true);
      if (hasRoom(usage, sizeBytes - replacedBytes)) return;
      const isWorthALook = attempt < limits.commitRetryMax && (await this.#makeRoom(user));
      if (!isWorthALook) throw quotaExceeded(user, sizeBytes, usage);
    }
  }
}

function hasRoom(usage: Usage, growsBytes: number): boolean {
  if (usage?.quotaBytes === undefined || growsBytes <= 0) return true;
  return usage.liveBytes + growsBytes <= usage.quotaBytes;
}

/** @param usage what the catalog says of the user now */
export function quotaExceeded(user: string, sizeBytes: number, usage: Usage): DsmError {
  const { liveBytes = 0, quotaBytes = 0 } = usage ?? {};
  return new DsmError(
    "QUOTA_EXCEEDED",
    `user ${user} has ${liveBytes} bytes of ${quotaBytes} allowed, and the file has ${sizeBytes}`,
    { remedy: "delete files, or have the quota raised with dsm user quota" },
  );
}

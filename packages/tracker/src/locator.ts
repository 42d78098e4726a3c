import type { Catalog } from "@dsm/catalog";
import type { Clock } from "@dsm/clock";
import {
  type ClusterSecret,
  DsmError,
  type FileInfo,
  type Intent,
  type Location,
  type Member,
  type RequestOf,
  signCapability,
  type StorageAddress,
  unexpired,
} from "@dsm/protocol";
import type { Membership } from "./membership.ts";
import { canServe, roomiestGroup, whyNoneServes } from "./placement.ts";
import { Ranking } from "./ranking.ts";

export interface LocatorOptions {
  readonly catalog: Catalog;
  readonly membership: Membership;
  readonly secret: ClusterSecret;
  readonly capabilityTtlMs: number;
  readonly startedAtMs: number;
  readonly clock: Clock;
}

/** Answers locate and stat: user → group → live storages, with a capability for them. */
export class Locator {
  readonly #options: LocatorOptions;
  readonly #ranking = new Ranking();

  constructor(options: LocatorOptions) {
    this.#options = options;
  }

  /** @throws DsmError USER_NOT_FOUND, FILE_NOT_FOUND, GROUP_UNAVAILABLE, STORAGE_FULL, … */
  async locate(request: RequestOf<"locate">): Promise<Location> {
    const { user, intent, fileId, mayWait } = request;
    const pinned = intent === "read" && fileId !== undefined;
    const file = pinned ? await this.stat(user, fileId, mayWait) : undefined;
    const group = file?.group ?? (await this.#groupOf(request));
    const storages = this.#storagesOf(group, intent);
    const expiresAtMs = this.#options.clock.now() + this.#options.capabilityTtlMs;
    const claims = { intent, user, group, expiresAtMs };
    const capability = signCapability(this.#options.secret, {
      ...claims,
      ...(fileId === undefined ? {} : { fileId }),
      ...(file === undefined ? {} : { file }),
    });
    return { group, storages, capability, expiresAtMs, ...(file === undefined ? {} : { file }) };
  }

  /** @throws DsmError USER_NOT_FOUND or FILE_NOT_FOUND */
  async stat(user: string, fileId: string, mayWait?: boolean): Promise<FileInfo> {
    const { catalog, clock } = this.#options;
    const current = await catalog.current(user, fileId, { mayWait });
    const file = unexpired(current?.file, clock.now());
    if (file !== undefined) return file;
    await this.#knownGroupOf(user);
    throw new DsmError("FILE_NOT_FOUND", `user ${user} has no file ${JSON.stringify(fileId)}`, {
      remedy: `see dsm list --user ${user}`,
    });
  }

  async #groupOf(request: RequestOf<"locate">): Promise<string> {
    const { user, intent, group } = request;
    if (group !== undefined) return group;
    if (intent !== "write") return this.#knownGroupOf(user);
    const { catalog, membership, clock } = this.#options;
    const known = await catalog.groupOf(user);
    if (known !== undefined) return known;
    // The catalog keeps the first group that any tracker writes: all answer with that one.
    return catalog.assignGroup(user, roomiestGroup(membership.members()), clock.now());
  }

  async #knownGroupOf(user: string): Promise<string> {
    const group = await this.#options.catalog.groupOf(user);
    if (group !== undefined) return group;
    throw new DsmError("USER_NOT_FOUND", `there is no user ${user}`, {
      remedy: "a user comes to be with the first upload",
    });
  }

  #storagesOf(group: string, intent: Intent): Location["storages"] {
    const { membership, startedAtMs } = this.#options;
    const members = membership.membersOf(group);
    const able = members.filter((member) => canServe(member, intent));
    if (able.length === 0) throw whyNoneServes(group, members, startedAtMs);
    return this.#ranking.bestFirst(able).map(addressOf);
  }
}

function addressOf({ storageId, dataUrl, publicUrl, digestAtEnd }: Member): StorageAddress {
  const address = { storageId, dataUrl, publicUrl };
  return digestAtEnd === undefined ? address : { ...address, digestAtEnd };
}

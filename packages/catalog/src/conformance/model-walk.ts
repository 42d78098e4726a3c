import { expect } from "bun:test";
import type { BlobId } from "@dsm/protocol";
import type { Catalog, Change } from "../index.ts";
import { nextId, put } from "./backend.ts";
import type { ModelCatalog } from "./model-catalog.ts";

interface Wish {
  readonly fileId: string;
  readonly remove: boolean;
  readonly versionOff: number;
  readonly atMs: number;
  readonly expiresAtMs: number | undefined;
}

export type Step =
  | { kind: "commit"; changes: Wish[] }
  | { kind: "again"; pick: number }
  | { kind: "quota"; quotaBytes: number | undefined }
  | { kind: "list"; prefix: string; after: string | undefined; limit: number; nowMs: number }
  | { kind: "reap"; beforeMs: number; limit: number; reversed: boolean };

const noLimit = 1_000;

/** Takes each step on the catalog and on the model, and compares what they say. */
export class Walk {
  readonly #catalog: Catalog;
  readonly #model: ModelCatalog;
  readonly #user: string;
  readonly #group: string;
  /** Batches since the last reaping: once a version was reaped, nobody may try it again. */
  #batches: Change[][] = [];

  constructor(catalog: Catalog, model: ModelCatalog, user: string, group: string) {
    this.#catalog = catalog;
    this.#model = model;
    this.#user = user;
    this.#group = group;
  }

  async take(step: Step): Promise<void> {
    await this.#take(step);
    const [user, group] = [this.#user, this.#group];
    const { quotaBytes } = this.#model;
    const usage = { user, group, ...this.#model.usage() };
    expect(await this.#catalog.usageOf(user)).toEqual(
      quotaBytes === undefined ? usage : { ...usage, quotaBytes },
    );
    expect(await this.#catalog.trashOf({ user, limit: noLimit })).toEqual(this.#model.trashed());
  }

  async #take(step: Step): Promise<void> {
    if (step.kind === "commit") {
      await this.#commit(onePerFile(step.changes).map((wish) => this.#change(wish)));
    } else if (step.kind === "again") {
      await this.#commit(this.#batches[step.pick % this.#batches.length] ?? []);
    } else if (step.kind === "list") {
      await this.#list(step.prefix, step.after, step.limit, step.nowMs);
    } else if (step.kind === "quota") {
      this.#model.quotaBytes = step.quotaBytes;
      await this.#catalog.setQuota(this.#user, step.quotaBytes, 1);
    } else {
      await this.#reap(step.beforeMs, step.limit, step.reversed);
    }
  }

  /** Reaps until nothing is due; then exactly the blobs of the model have been seen. */
  async reapAll(): Promise<void> {
    for (let rounds = 0; this.#model.trash.size > 0; rounds++) {
      expect(rounds).toBeLessThan(noLimit);
      const left = this.#model.trash.size;
      await this.#reap(noLimit, noLimit, false);
      expect(this.#model.trash.size).toBeLessThan(left);
    }
    expect(await this.#due(noLimit, noLimit)).toEqual([]);
    expect(await this.#catalog.usageOfGroup(this.#group)).toEqual(this.#model.usage());
    for (const fileId of this.#model.fileIds()) await this.#compare(fileId);
    await this.#list("", undefined, noLimit, 0);
    expect(await this.#catalog.checkUsage({ repair: false })).toEqual([]);
  }

  async #commit(changes: Change[]): Promise<void> {
    const expected = this.#model.commit(changes);
    expect(await this.#catalog.commit(changes)).toEqual(expected);
    if (changes.length > 0) this.#batches.push(changes);
    for (const change of changes) {
      await this.#compare(change.kind === "put" ? change.file.fileId : change.fileId);
    }
  }

  #change({ fileId, remove, versionOff, atMs, expiresAtMs }: Wish): Change {
    const now = this.#model.current(fileId);
    const version = Math.max(1, (now?.version ?? 0) + 1 + versionOff);
    const [user, group] = [this.#user, this.#group];
    const replaces = now?.file?.blobId;
    if (remove && replaces !== undefined) {
      return { kind: "delete", user, fileId, group, id: nextId(), version, replaces, atMs };
    }
    const sizeBytes = atMs * fileId.length;
    const file = { user, fileId, group, version, sizeBytes, modifiedAtMs: atMs };
    return put({ ...file, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) }, replaces);
  }

  async #compare(fileId: string): Promise<void> {
    const expected = this.#model.current(fileId);
    expect(await this.#catalog.current(this.#user, fileId)).toEqual(expected as never);
  }

  async #list(
    prefix: string,
    after: string | undefined,
    limit: number,
    nowMs: number,
  ): Promise<void> {
    const query = { user: this.#user, prefix, limit, nowMs };
    const page = await this.#catalog.list(after === undefined ? query : { ...query, after });
    expect(page).toEqual(this.#model.list(prefix, after, limit, nowMs));
    const group = this.#group;
    const expired = await this.#catalog.expired({ group, beforeMs: nowMs, limit: noLimit });
    expect(expired.map(({ fileId }) => fileId).toSorted()).toEqual(this.#model.expired(nowMs));
  }

  #due(beforeMs: number, limit: number) {
    return this.#catalog.trashed({ group: this.#group, beforeMs, limit });
  }

  async #reap(beforeMs: number, limit: number, reversed: boolean): Promise<void> {
    const due = await this.#due(beforeMs, limit);
    expect(due.filter((blob) => !this.#model.trash.has(blob.blobId))).toEqual([]);
    for (const blob of reversed ? due.toReversed() : due) await this.#catalog.forgetTrashed(blob);
    const still = new Set((await this.#due(noLimit, noLimit)).map((blob) => blob.blobId));
    for (const { blobId } of due) if (!still.has(blobId)) this.#forget(blobId);
    if (due.length > 0) this.#batches = [];
  }

  #forget(blobId: BlobId): void {
    this.#model.trash.delete(blobId);
  }
}

function onePerFile(wishes: Wish[]): Wish[] {
  return [...new Map(wishes.map((wish) => [wish.fileId, wish])).values()];
}

import type { KnownBlob } from "@dsm/catalog";
import { DsmError, limits, type MaintenanceLine } from "@dsm/protocol";
import { z } from "zod";
import { assertMounted } from "./assert-mounted.ts";
import { blobFaults, blobFaultsNow } from "./blob-faults.ts";
import { byBlob } from "./by-blob.ts";
import { digestFaults, digestFaultsNow } from "./digest-faults.ts";
import { type Fault, type Finding, findingKinds, type FindingKind } from "./finding.ts";
import { JournalBook } from "./journal-book.ts";
import { missingParts } from "./missing-parts.ts";
import { Meter } from "./meter.ts";
import { Pace } from "./pace.ts";
import type { FsckOptions, Scope } from "./scope.ts";
import { type Suspect, Suspects } from "./suspects.ts";
import { walkTree } from "./tree-walk.ts";
import { findingsOfLoss, versionSuspects } from "./version-suspects.ts";
import { placeFaults } from "./wrong-place.ts";

const paramsSchema = z.strictObject({
  repair: z.boolean().default(false),
  /** Reads all bytes and checks their SHA-256. */
  digests: z.boolean().default(false),
  /** For reading bytes; 0 for as fast as it goes. */
  bytesPerSecond: z.int().nonnegative().default(0),
});

type Params = z.infer<typeof paramsSchema>;
type Lines = AsyncGenerator<MaintenanceLine, void, undefined>;

/**
 * Compares catalog, journals and disk of a group, in flat memory, while the cluster goes on; see
 * finding.ts for what it finds and docs/design/2026-11-23-fsck.md for why it may repair.
 * @throws DsmError BAD_REQUEST, STORAGE_FAILED, CATALOG_UNAVAILABLE, DATA_NOT_WRITABLE
 */
export async function* fsck(options: FsckOptions, given: unknown, signal: AbortSignal): Lines {
  const params = paramsSchema.safeParse(given);
  if (!params.success) {
    const what = z.prettifyError(params.error).replaceAll(/\s+/g, " ");
    throw new DsmError("BAD_REQUEST", `fsck cannot be started: ${what}`, {
      remedy: "use a dsm of the same version",
    });
  }
  await assertMounted(options);
  using journal = new JournalBook(options.root, options.group, options.settlingMaxMs);
  yield* new Fsck(options, params.data, signal, journal).run();
}

class Fsck {
  readonly #params: Params;
  readonly #scope: Scope;
  readonly #journal: JournalBook;
  readonly #suspects: Suspects;
  readonly #counts: Partial<Record<FindingKind, number>> = {};
  #repaired = 0;
  #files = 0;
  #blobs = 0;
  #hasLoaded = false;

  constructor(options: FsckOptions, params: Params, signal: AbortSignal, journal: JournalBook) {
    const { orphanAgeMs = limits.orphanAgeMs } = options;
    const startedAtMs = Date.now();
    this.#params = params;
    this.#journal = journal;
    this.#scope = {
      ...options,
      signal,
      pace: new Pace(params.bytesPerSecond, signal),
      // Of what came since nobody knows whether it was read.
      isYoung: (atMs) => atMs > startedAtMs - orphanAgeMs,
      cameSince: ({ file }) => file.modifiedAtMs > startedAtMs,
    };
    this.#suspects = new Suspects({
      repair: params.repair,
      signal,
      secondLookMs: Math.min(limits.fsckSecondLookMs, orphanAgeMs),
      onFinding: (finding) => this.#count(finding),
      assertMounted: () => assertMounted(options),
    });
  }

  /** What goes home first is not missing later, and what is put back is no orphan. */
  async *run(): Lines {
    yield* this.#readJournals();
    yield* this.#lookForStrays();
    yield* this.#checkUsage();
    yield* this.#compareVersions();
    if (this.#hasLoaded) await this.#scope.catalog.checkUsage({ repair: true });
    yield* this.#compareBlobs();
    const { pace, group } = this.#scope;
    const [blobs, bytes, records] = [this.#blobs, pace.passedBytes, this.#journal.changes];
    const [findings, repaired] = [this.#counts, this.#repaired];
    yield { done: { group, blobs, bytes, records, findings, repaired } };
  }

  async *#readJournals(): Lines {
    const parts = await this.#journal.parts();
    const total = parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    let done = 0;
    const journal = this.#journal;
    const { root } = this.#scope;
    const meter = new Meter("reading the journals", "bytes", total, () => done);
    async function* faults(): AsyncGenerator<Suspect | undefined> {
      for (const part of parts) {
        for await (const fault of journal.read(part)) yield fault && (async () => [fault]);
        done += part.sizeBytes;
        yield undefined;
      }
      const isMissing = (await missingParts(root)).length > 0;
      yield isMissing ? () => missingParts(root) : undefined;
    }
    yield* this.#suspects.settle(faults(), meter);
  }

  async *#lookForStrays(): Lines {
    const scope = this.#scope;
    const count = () => this.#files++;
    const meter = new Meter("looking at all names", "blobs", 0, () => this.#files);
    async function* strays(): AsyncGenerator<Suspect | undefined> {
      for (const tree of ["blobs", "pieces"] as const) {
        for await (const found of walkTree(scope.root, tree)) {
          if ("id" in found && tree === "blobs") count();
          yield "id" in found ? undefined : () => placeFaults(scope, found);
        }
      }
    }
    yield* this.#suspects.settle(strays(), meter);
  }

  async *#checkUsage(): Lines {
    const { catalog, group } = this.#scope;
    const { repair } = this.#params;
    yield { progress: { doing: "adding up the usage", done: 0, total: 0, unit: "records" } };
    for (const { user, group: of, counted, actual } of await catalog.checkUsage({ repair })) {
      // A repair sets all groups right, and so tells of all.
      if (of !== group && !repair) continue;
      const said = `in group ${of} ${JSON.stringify(counted)} is written`;
      const detail = `${said}, and it is ${JSON.stringify(actual)}`;
      const { severity } = findingKinds.usage;
      const finding: Finding = { kind: "usage", severity, user, detail };
      const told = repair ? { ...finding, repaired: "set right" } : finding;
      this.#count(told);
      yield { finding: { ...told } };
    }
  }

  async *#compareVersions(): Lines {
    let done = 0;
    const meter = new Meter("comparing journals", "records", this.#journal.changes, () => done);
    const suspects = versionSuspects(this.#scope, this.#journal, {
      advance: (count) => (done += count),
      onLost: () => (this.#hasLoaded ||= this.#params.repair),
    });
    yield* this.#suspects.settle(suspects, meter);
  }

  async *#compareBlobs(): Lines {
    const { catalog, group, pace } = this.#scope;
    if (!this.#params.digests) {
      const meter = new Meter("comparing blobs", "blobs", this.#files, () => this.#blobs);
      yield* this.#suspects.settle(this.#blobSuspects(), meter);
      return;
    }
    const { liveBytes, trashBytes } = await catalog.usageOfGroup(group);
    const total = liveBytes + trashBytes;
    const meter = new Meter("reading all bytes", "bytes", total, () => pace.passedBytes);
    yield* this.#suspects.settle(this.#blobSuspects(), meter);
  }

  async *#blobSuspects(): AsyncGenerator<Suspect | undefined> {
    const scope = this.#scope;
    const journal = this.#journal;
    const { root, group, catalog } = scope;
    for await (const books of byBlob({ root, group, catalog, histories: journal.byId() })) {
      if (books.blob !== undefined) this.#blobs++;
      if (books.known !== undefined && scope.cameSince(books.known)) {
        yield undefined;
        continue;
      }
      const faults = await blobFaults(scope, journal, books);
      yield faults.length > 0 ? () => blobFaultsNow(scope, journal, books) : undefined;
      const { known, blob } = books;
      if (known === undefined || blob === undefined || !this.#params.digests) continue;
      if (faults.every(isOfSidecar)) yield* this.#digestSuspects(known);
    }
  }

  async *#digestSuspects(known: KnownBlob): AsyncGenerator<Suspect | undefined> {
    const reading = digestFaults(this.#scope, known);
    yield* ticksUntil(reading);
    if ((await reading).length > 0) yield () => digestFaultsNow(this.#scope, known);
  }

  #count({ kind, repaired }: Finding): void {
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
    if (repaired !== undefined) this.#repaired++;
    if (findingsOfLoss.has(kind)) this.#journal.noteLoss();
  }
}

const isOfSidecar = ({ kind }: Fault) => kind.endsWith("-sidecar");

const tickMs = 500;

/** So that progress is told while something takes long. Leaves errors to whoever awaits it. */
async function* ticksUntil(work: Promise<unknown>): AsyncGenerator<undefined> {
  const over = work.then(
    () => true,
    () => true,
  );
  for (;;) {
    const { promise: tick, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(resolve, tickMs, false);
    const isOver = await Promise.race([over, tick]);
    clearTimeout(timer);
    if (isOver) return;
    yield undefined;
  }
}

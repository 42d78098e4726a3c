import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { statusByModel } from "./conditional-model.ts";
import { type Nginx, nginxMissing, startNginx } from "./nginx.ts";
import { type DepartureName, departures } from "./nginx-departures.ts";
import { type Predicted, predictNginx } from "./nginx-model.ts";
import { fieldsFor, type Generated, generated, sizes, type Validators } from "./nginx-requests.ts";
import { type Outcome, readOutcome } from "./outcome.ts";
import { type Content, noise, sparse } from "./placed-file.ts";
import { selectByModel } from "./range-model.ts";
import { requestText, type Target, directNames, Targets } from "./targets.ts";
import { fieldOf, Wire } from "./wire.ts";

setDefaultTimeout(60_000);

const requestCount = 6_000;
const seed = Number(process.env["DSM_TEST_SEED"] ?? 20_261_122);
const missing = nginxMissing();
const why = missing === undefined ? "" : ` (skipped: ${missing})`;
const modifiedAtMs = Date.UTC(2023, 5, 15, 12, 30, 45);

const contents = new Map<number, Content>(
  sizes.map((size) => [
    size,
    size > 2 ** 32 ? sparse(size, [0, 2 ** 31, 2 ** 32, size]) : noise(size),
  ]),
);
const contentOf = (size: number) => contents.get(size) ?? noise(size);

/** One of the two servers, on a connection that is kept as long as it is good. */
class Side {
  readonly #port: number;
  readonly #text: (fileId: string, method: string, fields: ReturnType<typeof fieldsFor>) => string;
  readonly #validators = new Map<number, Validators>();
  #wire: Wire | undefined;

  constructor(port: number, text: Side["text"]) {
    this.#port = port;
    this.#text = text;
  }

  get text() {
    return this.#text;
  }

  async outcome(request: Generated): Promise<Outcome> {
    const { size, method } = request;
    const fields = fieldsFor(request, await this.#validatorsOf(size));
    const wire = (this.#wire ??= await Wire.connect(this.#port));
    const text = this.#text(`f${size}`, method, fields);
    wire.send(text);
    try {
      const { outcome, isReusable } = await readOutcome(wire, method, contentOf(size));
      // nginx 1.22 says keep-alive with a 412 and closes all the same.
      if (!isReusable || outcome.status === 412) await this.close();
      return outcome;
    } catch (cause) {
      throw new Error(`no answer to ${text}`, { cause });
    }
  }

  async close(): Promise<void> {
    await this.#wire?.[Symbol.asyncDispose]();
    this.#wire = undefined;
  }

  async #validatorsOf(size: number): Promise<Validators> {
    let known = this.#validators.get(size);
    if (known === undefined) {
      await using wire = await Wire.connect(this.#port);
      const head = await wire.exchange(this.#text(`f${size}`, "HEAD", []), "HEAD");
      known = { etag: fieldOf(head, "etag") ?? "", date: fieldOf(head, "last-modified") ?? "" };
      this.#validators.set(size, known);
    }
    return known;
  }
}

function sideOfNginx({ port }: Nginx): Side {
  return new Side(port, (fileId, method, fields) => {
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    return `${method} /${fileId} HTTP/1.1\r\nHost: x\r\n${lines}\r\n`;
  });
}

function sideOfDsm(target: Target): Side {
  return new Side(target.port, (fileId, method, fields) =>
    requestText(target, { fileId, method, fields }),
  );
}

/** What the models of the RFC, which know neither server, say of the status and the ranges. */
function predictByRfc(request: Generated): Predicted {
  const { method, ranges, size } = request;
  const truths = {
    ifMatch: request.ifMatch?.truth,
    ifUnmodifiedSince: request.ifUnmodifiedSince?.truth,
    ifNoneMatch: request.ifNoneMatch?.truth,
    ifModifiedSince: request.ifModifiedSince?.truth,
    ifRange: request.ifRange?.truth,
  };
  const status = statusByModel(method, truths, ranges.length > 0);
  if (status !== 206) return { status, ranges: [] };
  const selected = selectByModel(ranges, size);
  if (selected === "whole") return { status: 200, ranges: [] };
  if (selected === "unsatisfiable") return { status: 416, ranges: [] };
  return { status, ranges: selected.map(({ first, last }) => `${first}-${last}`) };
}

/** Of several parts it is not known beforehand. */
function lengthOf({ status, ranges }: Predicted, sizeBytes: number): string | undefined {
  if (status === 200) return `${sizeBytes}`;
  if (ranges.length !== 1) return undefined;
  const [first = 0, last = 0] = (ranges[0] ?? "").split("-").map(Number);
  return `${last - first + 1}`;
}

/** Whether an answer is what was predicted, as far as it was read. */
function isAs(predicted: Predicted, outcome: Outcome, { method, size }: Generated): boolean {
  const { status, ranges } = predicted;
  if (outcome.status !== status || !outcome.isRight) return false;
  if (outcome.hasEtag !== status < 400) return false;
  if (status < 300 && outcome.contentLength !== lengthOf(predicted, size)) return false;
  if (status === 416) return outcome.contentRange === `bytes */${size}`;
  if (status === 206 && ranges.length === 1) {
    return outcome.contentRange === `bytes ${ranges[0]}/${size}`;
  }
  if (outcome.contentRange !== undefined || method === "HEAD" || status !== 206) {
    return outcome.contentRange === undefined && outcome.parts === undefined;
  }
  const { parts = [], isCut } = outcome;
  return (
    parts.every((part, at) => part === ranges[at]) && (isCut || parts.length === ranges.length)
  );
}

/** Whether so many parts were planned and less came, though all was read. */
function isFewer(ours: Outcome, planned: number): boolean {
  if (ours.status !== 206) return false;
  return (
    ours.contentRange !== undefined || (!ours.isCut && (ours.parts?.length ?? planned) < planned)
  );
}

/** What was to be expected of each, and why they may differ. */
function compare(request: Generated, target: Target, theirs: Outcome, ours: Outcome) {
  const reasons = new Set<DepartureName>();
  const nginx = predictNginx(request, (reason) => reasons.add(reason));
  let dsm = predictByRfc(request);
  if (theirs.status === 206 && theirs.acceptRanges === undefined) {
    reasons.add("Accept-Ranges on a 206");
  }
  const { length } = dsm.ranges;
  if (target.engine === "sendfile" && length > 1 && isFewer(ours, length)) {
    reasons.add("fewer parts than were asked for");
    dsm = { status: 206, ranges: dsm.ranges.slice(0, ours.parts?.length ?? 1) };
  }
  return { areEqual: Bun.deepEquals(theirs, ours), reasons, predicted: { nginx, dsm } };
}

/** A shape that can be read in a failure. */
function shown(request: Generated): unknown {
  const fields = fieldsFor(request, { etag: "<etag>", date: "Thu, 15 Jun 2023 12:30:45 GMT" });
  return { size: request.size, method: request.method, fields };
}

describe.skipIf(missing !== undefined)(`dsm beside nginx${why}`, () => {
  const stack = new AsyncDisposableStack();
  let nginx: Nginx;
  let targets: Targets;

  beforeAll(async () => {
    nginx = stack.use(await startNginx());
    targets = stack.use(await Targets.start());
    for (const size of sizes) {
      const placing = { fileId: `f${size}`, content: contentOf(size), modifiedAtMs };
      await nginx.place(placing);
      await targets.place(placing);
    }
  });
  afterAll(() => stack.disposeAsync());

  test(`${requestCount} requests differ only where the RFC says so, seed ${seed}`, async () => {
    const reference = sideOfNginx(nginx);
    const sides = new Map(directNames.map((name) => [name, sideOfDsm(targets.named(name))]));
    const tally = new Map(Object.keys(departures).map((name) => [name as DepartureName, 0]));
    const unexplained: unknown[] = [];
    let equal = 0;
    for (const [at, request] of fc.sample(generated, { seed, numRuns: requestCount }).entries()) {
      const name = directNames[at % directNames.length] ?? "";
      const side = sides.get(name)!;
      const [theirs, ours] = await Promise.all([reference.outcome(request), side.outcome(request)]);
      const { areEqual, reasons, predicted } = compare(request, targets.named(name), theirs, ours);
      const areAs = isAs(predicted.nginx, theirs, request) && isAs(predicted.dsm, ours, request);
      if (areEqual) equal += 1;
      else for (const reason of reasons) tally.set(reason, (tally.get(reason) ?? 0) + 1);
      if (!areAs || (!areEqual && reasons.size === 0)) {
        unexplained.push({ name, request: shown(request), theirs, ours, predicted, reasons });
      }
    }
    for (const side of [reference, ...sides.values()]) await side.close();
    console.log(`nginx beside dsm, seed ${seed}: ${requestCount} requests, ${equal} equal`);
    for (const [name, count] of tally) {
      console.log(`  ${count} differ by ${name} (RFC 9110, ${departures[name].decidedBy})`);
    }
    expect(unexplained.slice(0, 3)).toEqual([]);
    // An excuse that nobody needs is one too many.
    expect([...tally].filter(([, count]) => count === 0)).toEqual([]);
  });
});

import { type OperationKind, operationWeights, randomSize } from "./choices.ts";
import { type Content, contentOf } from "./content.ts";
import { trashGraceMs } from "./cluster.ts";
import { cutUpload } from "./cut-upload.ts";
import type { Door, Part, ReadOutcome } from "./door.ts";
import { endWrite } from "./end-write.ts";
import type { CatalogTrouble } from "./faults.ts";
import {
  absent,
  anyState,
  type Condition,
  conditionWords,
  type MediaKey,
  type State,
} from "./file-history.ts";
import type { Figures } from "./figures.ts";
import type { Ledger, Operation } from "./ledger.ts";
import type { Random } from "./random.ts";

export interface WorkloadPorts {
  readonly ledger: Ledger;
  readonly figures: Figures;
  readonly trouble: CatalogTrouble;
  readonly keys: readonly MediaKey[];
  readonly random: Random;
  /** A number that no other upload of this run has. */
  readonly nextContentSeed: () => number;
  /** `host:port` of a gateway, for uploads that are cut short. */
  readonly gateway: string;
}

const patienceMs = 20_000;
/** What takes longer may find that the bytes of a version are gone that was replaced meanwhile. */
const slowMs = trashGraceMs / 2;
/** Of the files that expire. */
export const longestTtlMs = 4_000;
/** More clients at one file than this, and its history is no longer told from any other. */
const underWayMax = 5;
/** So long after an outage a gateway may still give what it knew before. */
const afterOutageMs = 5_000;

/** One client, which does one thing after the other. */
export class Workload {
  readonly #ports: WorkloadPorts;
  readonly #door: Door;
  readonly #name: string;
  /** The last version of each file that this client has seen or made, for its conditions. */
  readonly #known = new Map<MediaKey, State>();

  constructor(name: string, door: Door, ports: WorkloadPorts) {
    this.#name = name;
    this.#door = door;
    this.#ports = ports;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { random } = this.#ports;
    while (!signal.aborted) {
      await this.#step(random.weighted(operationWeights));
      await Bun.sleep(random.between(0, 30));
    }
  }

  async #step(kind: OperationKind): Promise<void> {
    const { random, keys, ledger } = this.#ports;
    // Most goes to a few files, so that clients meet.
    const key = random.chance(0.6) ? random.pick(keys.slice(0, 3)) : random.pick(keys);
    if (ledger.underWay(key) >= underWayMax) return;
    const known = this.#known.get(key) ?? absent;
    switch (kind) {
      case "put":
        return this.#put(kind, key, anyState);
      case "create":
        return this.#put(kind, key, { is: "absent" });
      case "replace":
        return known === absent ? undefined : this.#put(kind, key, { is: "state", state: known });
      case "delete":
        return this.#delete(kind, key, anyState);
      case "delete one version":
        if (known === absent) return;
        return this.#delete(kind, key, { is: "state", state: known });
      case "restore":
        return this.#restore(kind, key, random.chance(0.5) ? anyState : { is: "absent" });
      case "read":
        return this.#read(kind, key, undefined);
      case "read a part":
        return this.#read(kind, key, this.#partOf(key, known));
      case "stat":
        return this.#stat(kind, key);
      case "list":
        return this.#list(kind, key);
      case "put with a wrong digest":
        return this.#putWrong(kind, key);
      case "put cut short":
        return this.#putCut(kind, key);
    }
  }

  async #put(kind: OperationKind, key: MediaKey, condition: Condition): Promise<void> {
    const { ledger, figures } = this.#ports;
    // Versions that are told apart by conditions must not be equal by chance, as empty ones are.
    const content = this.#newContent(condition.is === "any" ? 0 : 64);
    const { random } = this.#ports;
    const ttlMs = random.chance(0.1) ? random.between(1_000, longestTtlMs) : undefined;
    const life = ttlMs === undefined ? "" : `, for ${ttlMs} ms`;
    const about = `${kind} ${content.sha256.slice(0, 8)} (${content.sizeBytes} bytes)${life}`;
    const operation = ledger.begin(key, `${this.#who} ${about}${conditionWords(condition)}`);
    operation.sends(content);
    const signal = AbortSignal.timeout(patienceMs);
    const options = { condition, isUnannounced: random.chance(0.3), ttlMs, signal };
    const outcome = await this.#door.put(key, content, options);
    if (outcome.is === "done") {
      this.#known.set(key, content.sha256);
      figures.bytesWritten += content.sizeBytes;
    }
    endWrite(this.#ports, { operation, key, kind, who: this.#who }, outcome, {
      to: content.sha256,
      condition,
      ttlMs,
    });
    // What is acknowledged is there at once: so early a mistake would be seen that mends itself.
    if (outcome.is === "done" && random.chance(0.4)) {
      await this.#read("read", key, undefined);
    }
  }

  async #delete(kind: OperationKind, key: MediaKey, condition: Condition): Promise<void> {
    const what = `${this.#who} ${kind}${conditionWords(condition)}`;
    const operation = this.#ports.ledger.begin(key, what);
    const signal = AbortSignal.timeout(patienceMs);
    const outcome = await this.#door.delete(key, condition, signal);
    this.#known.delete(key);
    if (outcome.is === "not there") {
      this.#ports.figures.operation(kind, "refused");
      operation.saw(absent);
      return;
    }
    // Of a delete that was tried again, an earlier try may have been the one that did it. So a
    // condition may not hold any more when the answer comes: what is sure is that it is gone.
    const sure = outcome.is === "done" ? anyState : condition;
    endWrite(this.#ports, { operation, key, kind, who: this.#who }, outcome, {
      to: absent,
      condition: sure,
    });
  }

  async #restore(kind: OperationKind, key: MediaKey, condition: Condition): Promise<void> {
    const { ledger } = this.#ports;
    if (this.#door.restore === undefined) return;
    const operation = ledger.begin(key, `${this.#who} ${kind}${conditionWords(condition)}`);
    const signal = AbortSignal.timeout(patienceMs);
    const { state, outcome } = await this.#door.restore(key, condition, signal);
    if (state !== undefined) {
      return endWrite(this.#ports, { operation, key, kind, who: this.#who }, outcome, {
        to: state,
        condition,
      });
    }
    operation.nothing();
    this.#ports.figures.operation(kind, "failed");
    if (outcome.is !== "unexplained") return;
    ledger.violation("unexplained", key, `${this.#who} ${kind}: ${outcome.why}`);
  }

  async #read(kind: OperationKind, key: MediaKey, part: Part | undefined): Promise<void> {
    const { ledger } = this.#ports;
    const words = part === undefined ? "" : ` ${part.start} to ${part.endExclusive}`;
    const operation = ledger.begin(key, `${this.#who} ${kind}${words}`, this.#door.staleMs);
    let isRight = true;
    const take = (state: State, bytes: Uint8Array, start: number) => {
      isRight &&= ledger.checkBytes(key, state, bytes, start);
    };
    const signal = AbortSignal.timeout(patienceMs);
    const slow = AbortSignal.timeout(slowMs);
    const outcome = await this.#door.read(key, part, take, signal);
    const isTooSlow = outcome.is === "unexplained" && slow.aborted;
    const told = isTooSlow ? { is: "failed" as const, why: outcome.why } : outcome;
    if (isRight) this.#endRead(kind, key, operation, told);
    else operation.nothing();
  }

  async #stat(kind: OperationKind, key: MediaKey): Promise<void> {
    const what = `${this.#who} ${kind}`;
    const operation = this.#ports.ledger.begin(key, what, this.#door.staleMs);
    const outcome = await this.#door.stat(key, AbortSignal.timeout(patienceMs));
    this.#endRead(kind, key, operation, outcome);
  }

  #endRead(kind: OperationKind, key: MediaKey, operation: Operation, outcome: ReadOutcome): void {
    const { figures, ledger } = this.#ports;
    if (outcome.is === "seen") {
      figures.operation(kind, "ok");
      const { state, sizeBytes } = outcome;
      if (state !== absent) this.#known.set(key, state);
      const content = ledger.content(key, state);
      if (state !== absent && content?.sizeBytes !== sizeBytes) {
        ledger.violation("mixed", key, `${state} was said to have ${sizeBytes} bytes`);
      }
      return this.#saw(operation, state);
    }
    figures.operation(kind, "failed");
    operation.nothing();
    if (outcome.is === "unexplained") {
      ledger.violation("unexplained", key, `${this.#who} ${kind}: ${outcome.why}`);
    }
  }

  /** As long as the catalog is down, a gateway gives what it knew, however old. */
  #saw(operation: Operation, state: State): void {
    const isOld = this.#door.mayAnswerInOutage && this.#ports.trouble.isWithin(afterOutageMs);
    if (isOld) operation.nothing();
    else operation.saw(state);
  }

  /** Each file of a page is a read of that file, and so is each that is missing from it. */
  async #list(kind: OperationKind, { user, fileId }: MediaKey): Promise<void> {
    const { ledger, keys, figures, random } = this.#ports;
    const after = random.chance(0.5) ? undefined : fileId;
    const limit = random.between(1, 8);
    const covered = keys.filter((key) => key.user === user && key.fileId > (after ?? ""));
    const operations = covered.map((key) => ledger.begin(key, `${this.#who} ${kind}`));
    const query = { user, limit, ...(after === undefined ? {} : { after }) };
    const outcome = await this.#door.list(query, AbortSignal.timeout(patienceMs));
    figures.operation(kind, outcome.is === "listed" ? "ok" : "failed");
    if (outcome.is === "listed") figures.readsChecked++;
    for (const [i, key] of covered.entries()) {
      if (outcome.is !== "listed") {
        operations[i]!.nothing();
      } else if (outcome.next !== undefined && key.fileId > outcome.next) {
        operations[i]!.nothing();
      } else {
        const listed = outcome.files.find((file) => file.fileId === key.fileId);
        operations[i]!.saw(listed?.sha256 ?? absent);
      }
    }
    if (outcome.is === "unexplained") {
      ledger.violation("unexplained", { user, fileId }, `${this.#who} list: ${outcome.why}`);
    }
  }

  /** Nobody may ever see a byte of it: the ledger is not told of the content. */
  async #putWrong(kind: OperationKind, key: MediaKey): Promise<void> {
    const { ledger, random, figures } = this.#ports;
    const content = this.#newContent(16);
    const wrongSha256 = Bun.SHA256.hash(String(random.next()), "hex");
    const signal = AbortSignal.timeout(patienceMs);
    const options = { condition: anyState, wrongSha256, signal };
    const outcome = await this.#door.put(key, content, options);
    figures.operation(kind, outcome.is === "no effect" ? "refused" : "failed");
    if (outcome.is === "done" || outcome.is === "unexplained") {
      const why = outcome.is === "done" ? "it was taken" : outcome.why;
      ledger.violation("unexplained", key, `${this.#who} ${kind}: ${why}`);
    }
  }

  /** Nobody may ever see a byte of it. */
  async #putCut(kind: OperationKind, key: MediaKey): Promise<void> {
    const { gateway, random, figures } = this.#ports;
    await cutUpload(gateway, key, random);
    figures.operation(kind, "refused");
  }

  #newContent(leastBytes: number): Content {
    const { random, nextContentSeed } = this.#ports;
    return contentOf(nextContentSeed(), Math.max(leastBytes, randomSize(random)));
  }

  #partOf(key: MediaKey, known: State): Part {
    const { random, ledger } = this.#ports;
    const sizeBytes = ledger.content(key, known)?.sizeBytes ?? 10_000;
    const start = random.between(0, sizeBytes);
    const longest = random.chance(0.5) ? 2_000 : sizeBytes;
    return { start, endExclusive: start + 1 + random.between(0, longest) };
  }

  get #who(): string {
    return `${this.#name} by ${this.#door.name}`;
  }
}

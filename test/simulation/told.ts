import type {
  Intent,
  Member,
  MessageName,
  RequestOf,
  ResponseOf,
  StorageState,
} from "@dsm/protocol";
import type { Lives } from "./lives.ts";
import type { Said } from "./rpc-server.ts";
import type { Schedule } from "./schedule.ts";
import type { Witness } from "./witness.ts";

interface Word {
  readonly life: number;
  readonly state: StorageState;
  /** In true time, whatever the clock of the tracker says. */
  readonly heardMs: number;
  readonly left: boolean;
}

export interface ToldOptions {
  readonly tracker: string;
  readonly patienceMs: number;
  readonly schedule: Schedule;
  readonly lives: Lives;
  readonly witness: Witness;
}

/** Times are compared by clocks that begin elsewhere; sums of them differ in the last bits. */
const roundingMs = 0.001;

/**
 * What one tracker was told since it started, kept in the plainest way there is, and so what it
 * may say. It sees each request with its answer in the moment of the decision.
 */
export class Told {
  readonly #options: ToldOptions;
  readonly #words = new Map<string, Word>();
  readonly #wishes = new Map<string, boolean>();

  constructor(options: ToldOptions) {
    this.#options = options;
  }

  /** Whether an operator's wish for this storage waits to be obeyed. */
  isWishing(storageId: string): boolean {
    return this.#wishes.has(storageId);
  }

  watch(name: MessageName, request: unknown, said: Said): void {
    if (said.error !== undefined) return;
    if (name === "join" || name === "heartbeat") this.#heard(name, request as StorageState);
    if (name === "leave") this.#left(request as RequestOf<"leave">);
    if (name === "drain") {
      const { storageId, draining } = request as RequestOf<"drain">;
      this.#wishes.set(storageId, draining);
    }
    if (name === "locate") {
      const { intent } = request as RequestOf<"locate">;
      const { storages } = said.response as ResponseOf<"locate">;
      for (const { storageId } of storages) this.#mayName(storageId, intent);
    }
    if (name === "status") {
      this.#isWhole((said.response as ResponseOf<"status">).groups.flatMap((it) => it.members));
    }
  }

  #heard(name: string, state: StorageState): void {
    const { lives, schedule } = this.#options;
    const life = lives.numberOf(state.incarnation);
    const known = this.#words.get(state.storageId);
    const isOrdered = !lives.isDisordered(state.storageId);
    if (isOrdered && known !== undefined && life < known.life && !this.#isSilent(known)) {
      const silentMs = schedule.nowMs - known.heardMs;
      this.#accuse(
        `takes a ${name} of life ${life} of ${state.storageId} for news, ` +
          `and life ${known.life} was heard ${silentMs} ms ago`,
      );
    }
    if (known?.life === life && known.left) {
      this.#accuse(`lets in life ${life} of ${state.storageId} again, which has left`);
    }
    this.#words.set(state.storageId, { life, state, heardMs: schedule.nowMs, left: false });
    if (name === "heartbeat" && this.#wishes.get(state.storageId) === state.draining) {
      this.#wishes.delete(state.storageId);
    }
  }

  #left({ storageId, incarnation }: RequestOf<"leave">): void {
    const known = this.#words.get(storageId);
    if (known?.state.incarnation !== incarnation) return;
    this.#words.set(storageId, { ...known, left: true });
  }

  #mayName(storageId: string, intent: Intent): void {
    const word = this.#isAlive(storageId);
    if (word === undefined) return;
    if (word.state.draining) this.#accuse(`names ${storageId}, which said that it drains`);
    if (this.#wishes.get(storageId) === true) {
      this.#accuse(`names ${storageId}, which it was asked to drain`);
    }
    if (intent === "write" && word.state.full) {
      this.#accuse(`names ${storageId} for a write, which said that it is full`);
    }
  }

  #isAlive(storageId: string): Word | undefined {
    const word = this.#words.get(storageId);
    if (word === undefined) this.#accuse(`names ${storageId}, of which it never heard`);
    else if (word.left) this.#accuse(`names ${storageId}, which has left`);
    else if (this.#isSilent(word)) {
      const silentMs = this.#options.schedule.nowMs - word.heardMs;
      this.#accuse(`names ${storageId}, which has been silent for ${silentMs} ms`);
    }
    return word;
  }

  /** It shows whom it heard lately, in the life that it heard of, and nobody else as alive. */
  #isWhole(members: readonly Member[]): void {
    const shown = new Map(members.map((member) => [member.storageId, member]));
    for (const member of members) {
      this.#isNews(member);
      if (member.online) this.#isAlive(member.storageId);
    }
    for (const [storageId, word] of this.#words) {
      if (word.left || this.#isSilent(word, -roundingMs)) continue;
      if (shown.get(storageId)?.online === true) continue;
      this.#accuse(`does not know ${storageId}, which it heard at ${word.heardMs} ms`);
    }
  }

  #isNews({ storageId, incarnation }: StorageState): void {
    const { lives } = this.#options;
    const life = lives.numberOf(incarnation);
    const known = this.#words.get(storageId);
    if (known !== undefined && life < known.life && !lives.isDisordered(storageId)) {
      this.#accuse(`shows life ${life} of ${storageId}, and was told of life ${known.life}`);
    }
  }

  #isSilent({ heardMs }: Word, slackMs = roundingMs): boolean {
    const { schedule, patienceMs } = this.#options;
    return schedule.nowMs - heardMs > patienceMs + slackMs;
  }

  #accuse(what: string): void {
    this.#options.witness.accuse(`${this.#options.tracker} ${what}`);
  }
}

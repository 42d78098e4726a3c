import type { DsmClient } from "@dsm/client";
import { DsmError, limits } from "@dsm/protocol";

export interface ReadyState {
  readonly ready: boolean;
  readonly reason?: string;
}

/** What this gateway says while it waits for its port to close. */
export const stoppingState: ReadyState = { ready: false, reason: "this gateway is stopping" };

/**
 * Ready means: a tracker answers, and a storage of some group can be read from. All gateways ask
 * the same trackers, so what these miss for a moment must not take the address from all gateways
 * at once: who was ready a moment ago still is.
 */
export class Readiness {
  readonly #client: Pick<DsmClient, "status">;
  readonly #nowMs: () => number;
  #readyAtMs = -Infinity;

  constructor(client: Pick<DsmClient, "status">, nowMs = () => performance.now()) {
    this.#client = client;
    this.#nowMs = nowMs;
  }

  async look(): Promise<ReadyState> {
    const asked = this.#ask();
    if (!this.#wasReady) return asked;
    const { promise: late, resolve } = Promise.withResolvers<ReadyState>();
    const timer = setTimeout(() => resolve({ ready: true }), limits.readinessAnswerMs);
    const state = await Promise.race([asked, late]);
    clearTimeout(timer);
    return this.#wasReady ? { ready: true } : state;
  }

  get #wasReady(): boolean {
    return this.#nowMs() - this.#readyAtMs < limits.readinessGraceMs;
  }

  async #ask(): Promise<ReadyState> {
    try {
      const { groups } = await this.#client.status();
      const members = groups.flatMap((group) => group.members);
      const isLive = members.some((member) => member.online && !member.draining);
      if (!isLive) return { ready: false, reason: "no storage is live" };
      this.#readyAtMs = this.#nowMs();
      return { ready: true };
    } catch (error) {
      return { ready: false, reason: DsmError.from(error, "asking the trackers").sentence };
    }
  }
}

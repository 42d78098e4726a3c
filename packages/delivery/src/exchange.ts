import { DsmError } from "@dsm/protocol";
import type { EngineOptions, RequestInfo } from "./engine.ts";
import { sendResponse } from "./node-response.ts";
import type { Outgoing } from "./outgoing.ts";
import { problemResponse } from "./problem.ts";

export interface Exchange {
  readonly outgoing: Outgoing;
  readonly info: RequestInfo;
  /** For the log. */
  readonly name: string;
  /** @throws DsmError when what came makes no request */
  readonly request: (signal: AbortSignal) => Request;
}

/** One request of node:http or node:http2 and its answer. Never rejects. */
export async function exchange(options: EngineOptions, one: Exchange): Promise<void> {
  const stallTimeoutMs = options.idleTimeoutS * 1000;
  const { outgoing } = one;
  try {
    const response = await options.fetch(one.request(signalOf(outgoing)), one.info);
    await sendResponse(response, outgoing, stallTimeoutMs);
  } catch (thrown) {
    const error = DsmError.from(thrown, `answering ${one.name}`);
    if (error.http >= 500) options.onFault(error);
    if (outgoing.headSent || outgoing.gone) outgoing.destroy();
    // Nothing of the answer has left yet, so it can still become another one.
    else await sendResponse(problemResponse(error), outgoing, stallTimeoutMs);
  }
}

/** Aborted when the client leaves before it has the whole answer. */
function signalOf(outgoing: Outgoing): AbortSignal {
  const controller = new AbortController();
  outgoing.onceClosed(() => {
    if (!outgoing.finished) controller.abort();
  });
  return controller.signal;
}

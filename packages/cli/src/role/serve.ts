import { untilAborted } from "../signals.ts";
import { sayResult } from "../stdout.ts";
import { reportToSupervisor, workerNumber } from "./workers.ts";

interface Server {
  drain(): Promise<void>;
}

/** What is printed when a role is ready. */
interface Ready {
  readonly role: string;
  /** `host:port` or a URL. */
  readonly endpoint: string;
}

/** Says that a role is ready, runs it until it is told to stop, and stops it in order. */
export async function serve(
  server: Server,
  { role, endpoint }: Ready,
  { json, signal }: { json: boolean; signal: AbortSignal },
): Promise<number> {
  try {
    if (workerNumber() !== undefined) reportToSupervisor();
    const result = { ready: true, role, endpoint, pid: process.pid };
    await sayResult(json, result, [`${role} is ready on ${endpoint}`]);
    await untilAborted(signal);
  } finally {
    await server.drain();
  }
  return 0;
}

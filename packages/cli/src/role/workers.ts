import { type HostPort, showHostPort } from "@dsm/config";
import { DsmError } from "@dsm/protocol";
import { untilAborted } from "../signals.ts";
import { sayResult } from "../stdout.ts";

/** Set to the worker's number for the processes that the supervisor starts, and by nobody else. */
const workerVariable = "DSM_WORKER";

/** 0, 1, … in a process that shares its port with others of its kind; else undefined. */
export function workerNumber(): number | undefined {
  const value = process.env[workerVariable];
  return value === undefined ? undefined : Number(value);
}

/** A worker tells its supervisor that it is ready, and stops when the supervisor is gone. */
export function reportToSupervisor(): void {
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.send?.("ready");
}

interface Workers {
  readonly role: string;
  readonly listen: HostPort;
  readonly workers: number;
  readonly scheme: "http" | "https";
}

/**
 * Runs this same command line in several processes that share one port. When one of them dies,
 * all are stopped, and whoever started this process can start it again.
 * @throws DsmError BAD_CONFIG for port 0, INTERNAL when a worker ends by itself
 */
export async function superviseWorkers(
  { role, listen, workers, scheme }: Workers,
  { json, signal }: { json: boolean; signal: AbortSignal },
): Promise<number> {
  if (listen.port === 0) {
    throw new DsmError("BAD_CONFIG", `${workers} workers cannot share port 0`, {
      remedy: "name the port that they share, or use one worker",
    });
  }
  const children = Array.from({ length: workers }, (_, number) => startWorker(number));
  try {
    const stopped = untilAborted(signal).then(() => "stopped" as const);
    const ended = Promise.race(children.map((child) => child.process.exited));
    const ready = Promise.all(children.map((child) => child.ready)).then(() => "ready" as const);
    const first = await Promise.race([stopped, ended, ready]);
    if (first === "stopped") return 0;
    // A worker that cannot start has said why on stderr, which it shares with us.
    if (first !== "ready") return first === 0 ? 1 : first;
    const endpoint = `${scheme}://${showHostPort(listen)}`;
    const result = { ready: true, role, endpoint, pid: process.pid };
    await sayResult(json, result, [`${role} is ready on ${endpoint} with ${workers} workers`]);
    const exit = await Promise.race([stopped, ended]);
    if (exit === "stopped") return 0;
    throw new DsmError("INTERNAL", `a worker of the ${role} ended with exit code ${exit}`, {
      remedy: "its last lines on stderr say why; start it again",
    });
  } finally {
    for (const child of children) child.process.kill("SIGTERM");
    await Promise.all(children.map((child) => child.process.exited));
  }
}

function startWorker(number: number) {
  // The single executable is its own script.
  const args = process.argv.slice(Bun.isStandaloneExecutable ? 2 : 1);
  const ready = Promise.withResolvers<void>();
  const child = Bun.spawn([process.execPath, ...args], {
    env: { ...process.env, [workerVariable]: String(number) },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
    ipc: () => ready.resolve(),
  });
  return { process: child, ready: ready.promise };
}

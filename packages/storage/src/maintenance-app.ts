import {
  assertMaintenance,
  type ClusterSecret,
  DsmError,
  limits,
  type MaintenanceJob,
  maintenanceJobs,
} from "@dsm/protocol";
import { type MaintenanceLines, maintenanceStream } from "./maintenance-stream.ts";

/**
 * Work on the group that an operator may start on this storage. It begins with the first line that
 * is asked for, and ends as soon as the signal is aborted.
 * @throws DsmError BAD_REQUEST as the first step for parameters that are wrong
 */
type Work = (params: unknown, signal: AbortSignal) => MaintenanceLines;

/** A storage offers those that it can do. */
type Jobs = Readonly<Partial<Record<MaintenanceJob, Work>>>;

interface MaintenanceOptions {
  readonly group: string;
  readonly secret: ClusterSecret;
  readonly jobs: Jobs;
  /** Told of what ended a job that is not for the eyes of who asked for it. */
  readonly onFault: (error: DsmError) => void;
}

/** A scrub is only watched here, and neither that nor a look at the root disturbs anybody. */
const severalAtOnce: ReadonlySet<MaintenanceJob> = new Set(["scrub", "root"]);
const watchersMax = 64;

/**
 * `POST /maintenance/{job}`: see protocol/maintenance.ts. One job of a kind at a time, but for
 * those that may be several.
 */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #running = new Map<AbortController, MaintenanceJob>();

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  /**
   * What goes wrong once the work has begun, wrong parameters too, is its last line.
   * @throws DsmError UNAUTHENTICATED, FORBIDDEN, UNKNOWN_ROUTE, BAD_REQUEST, TOO_LARGE; CONFLICT
   * while the same job is under way here
   */
  async answer(request: Request): Promise<Response> {
    const { secret, group, jobs } = this.#options;
    assertMaintenance(secret, group, tokenOf(request), Date.now());
    const job = jobOf(request);
    const work = job === undefined ? undefined : jobs[job];
    if (job === undefined || work === undefined) throw noSuchJob(jobs);
    const params = await paramsOf(request);
    const alike = this.#running.values().filter((other) => other === job);
    if (alike.toArray().length >= (severalAtOnce.has(job) ? watchersMax : 1)) throw underWay(job);
    const controller = new AbortController();
    this.#running.set(controller, job);
    const guarded = this.#guarded(job, work(params, controller.signal), controller);
    const leave = () => {
      controller.abort(new DsmError("UNREACHABLE", "whoever asked for the work has left"));
      // Where it has not begun yet, nothing of it runs, and so nothing of it ends either.
      void guarded.return().finally(() => this.#running.delete(controller));
    };
    request.signal.addEventListener("abort", leave, { once: true });
    return new Response(maintenanceStream(guarded, leave), {
      headers: { "Content-Type": "application/x-ndjson", "Cache-Control": "no-store" },
    });
  }

  /** Ends what is under way; whoever watches is told. */
  stop(): void {
    for (const controller of this.#running.keys()) {
      controller.abort(
        new DsmError("DRAINING", "this storage stops", { remedy: "start the work again" }),
      );
    }
  }

  /** What goes wrong becomes the last line. */
  async *#guarded(
    job: MaintenanceJob,
    lines: MaintenanceLines,
    controller: AbortController,
  ): MaintenanceLines {
    const { signal } = controller;
    try {
      yield* lines;
    } catch (thrown) {
      const reason: unknown = signal.aborted ? signal.reason : thrown;
      yield { error: this.#shown(DsmError.from(reason, job)) };
    } finally {
      this.#running.delete(controller);
    }
  }

  /** What is INTERNAL may name anything: it stays in the log of this storage. */
  #shown(error: DsmError) {
    if (error.http >= 500) this.#options.onFault(error);
    if (error.code !== "INTERNAL") return error.toWire();
    const message = "the storage failed in a way that it did not foresee";
    return { code: error.code, message, remedy: "look at the storage's log" };
  }
}

function tokenOf(request: Request): string {
  const authorization = request.headers.get("Authorization") ?? "";
  const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (token !== undefined) return token;
  throw new DsmError("UNAUTHENTICATED", "maintenance asks for a right to it", {
    remedy: "use dsm fsck or dsm scrub, which sign one with the cluster secret",
  });
}

function jobOf(request: Request): MaintenanceJob | undefined {
  const name = new URL(request.url).pathname.slice("/maintenance/".length);
  return maintenanceJobs.find((job) => job === name);
}

/** @throws DsmError TOO_LARGE or BAD_REQUEST */
async function paramsOf(request: Request): Promise<unknown> {
  const decoder = new TextDecoder();
  let text = "";
  let sizeBytes = 0;
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > limits.apiBodyMaxBytes) {
      throw new DsmError("TOO_LARGE", `parameters have ${limits.apiBodyMaxBytes} bytes at most`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    throw new DsmError("BAD_REQUEST", "the parameters are not JSON", {
      remedy: "use a dsm of the same version",
    });
  }
}

function underWay(job: MaintenanceJob): DsmError {
  return new DsmError("CONFLICT", `this storage is at work on another ${job} already`, {
    remedy: "wait until that is done, or stop whoever watches it",
  });
}

function noSuchJob(table: Jobs): DsmError {
  const jobs = Object.keys(table).map((name) => `POST /maintenance/${name}`);
  const what = "there is no such maintenance on this storage";
  return new DsmError("UNKNOWN_ROUTE", what, { remedy: `there is ${jobs.join(", ")}` });
}

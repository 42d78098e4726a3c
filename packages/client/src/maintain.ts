import {
  type ClusterSecret,
  DsmError,
  isErrorCode,
  limits,
  type MaintenanceJob,
  type MaintenanceLine,
  maintenanceLineSchema,
  type Member,
  signMaintenance,
  type StorageAddress,
  type TrackerStatus,
} from "@dsm/protocol";
import { StallGuard } from "./stall-guard.ts";
import { askStorage, unreachable } from "./storage-http.ts";
import type { Surroundings } from "./surroundings.ts";

export interface MaintainRequest {
  readonly group: string;
  readonly job: MaintenanceJob;
  readonly params: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal | undefined;
}

interface MaintainPorts {
  readonly secret: ClusterSecret;
  readonly surroundings: Surroundings;
  status(): Promise<TrackerStatus>;
}

/** What a line is that is no error. */
export type JobLine = Exclude<MaintenanceLine, { error: unknown }>;

/**
 * Starts a job on a live storage of a group, and on the next one where that cannot be reached, and
 * gives what it says until it is done. The job ends when the reader leaves.
 * @throws DsmError as the job does; GROUP_UNAVAILABLE when no storage of the group is online;
 * UNREACHABLE or TIMEOUT when the storage is lost on the way; the signal's reason when that fires
 */
export async function* maintain(
  ports: MaintainPorts,
  request: MaintainRequest,
): AsyncGenerator<JobLine, void, undefined> {
  const storages = await storagesOf(ports, request.group);
  for (const [index, storage] of storages.entries()) {
    const isLast = index === storages.length - 1;
    let hasBegun = false;
    try {
      for await (const line of runJob(ports, storage, request)) {
        hasBegun = true;
        yield line;
      }
      return;
    } catch (error) {
      request.signal?.throwIfAborted();
      const isLost = error instanceof DsmError && error.code === "UNREACHABLE";
      if (hasBegun || isLast || !isLost) throw error;
    }
  }
}

/** Those online, least busy first. */
async function storagesOf(ports: MaintainPorts, group: string): Promise<StorageAddress[]> {
  const { groups } = await ports.status();
  const members = groups.find((each) => each.group === group)?.members ?? [];
  const able = members.filter(({ online }) => online).toSorted(byLoad);
  if (able.length > 0) return able;
  throw new DsmError("GROUP_UNAVAILABLE", `no storage of group ${group} is online`, {
    remedy: "see dsm status for the groups and their storages",
  });
}

/** One that drains goes soon, and has time until then. */
function byLoad(a: Member, b: Member): number {
  return Number(a.draining) - Number(b.draining) || a.activeRequests - b.activeRequests;
}

async function* runJob(
  { secret, surroundings: { clock, fetch } }: MaintainPorts,
  storage: StorageAddress,
  { group, job, params, signal }: MaintainRequest,
): AsyncGenerator<JobLine, void, undefined> {
  const what = `${job} on storage ${storage.storageId}`;
  using guard = new StallGuard(what, limits.maintenanceStallMs, clock, signal);
  const right = signMaintenance(secret, group, clock.now() + limits.maintenanceRightTtlMs);
  try {
    const response = await askStorage(fetch, storage, `/maintenance/${job}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${right}`, "Content-Type": "application/json" },
      body: JSON.stringify(params),
      signal: guard.signal,
      // Bun's fetch sends it again by itself when a connection that was used before breaks.
      keepalive: false,
    });
    for await (const line of linesOf(response, storage, guard)) {
      if ("error" in line) throw errorOf(line.error);
      yield line;
      if ("done" in line) return;
    }
  } catch (cause) {
    if (guard.signal.aborted) throw guard.signal.reason;
    throw unreachable(storage, cause);
  } finally {
    // Whatever has happened: a storage that is not listened to must not work on.
    guard.abort(new DOMException("the reader left", "AbortError"));
  }
  throw unreachable(storage, new Error("its answer was cut off"));
}

async function* linesOf(
  response: Response,
  storage: StorageAddress,
  guard: StallGuard,
): AsyncGenerator<MaintenanceLine> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    // Whoever reads the lines may take its time.
    guard.pause();
    for (const line of lines) yield lineOf(line, storage);
    guard.touch();
    if (text.length > limits.maintenanceLineMaxChars) throw noLine(storage);
  }
}

function lineOf(text: string, storage: StorageAddress): MaintenanceLine {
  try {
    return maintenanceLineSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw noLine(storage, cause);
  }
}

function noLine(storage: StorageAddress, cause?: unknown): DsmError {
  const what = `storage ${storage.storageId} said of its work what cannot be read`;
  return new DsmError("STORAGE_FAILED", what, { cause, remedy: "is it of this version of dsm?" });
}

function errorOf(wire: { code: string; message: string; remedy?: string | undefined }): DsmError {
  const code = isErrorCode(wire.code) ? wire.code : "INTERNAL";
  return new DsmError(code, wire.message, { remedy: wire.remedy });
}

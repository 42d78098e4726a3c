import { DsmError, softwareVersion } from "@dsm/protocol";
import { clockFindings } from "./clock.ts";
import { error, ok, type Seen, warning } from "./finding.ts";
import type { Subject, TrackerView } from "./subject.ts";

/** Each tracker by itself, and whether all see the same storages. */
export async function checkTrackers({ trackers }: Subject): Promise<Seen[]> {
  return [...trackers.flatMap(seenOf), ...differingViews(trackers)];
}

function seenOf({ endpoint, status, fault, roundTripMs = 0, clock }: TrackerView): Seen[] {
  const object = `tracker ${endpoint}`;
  if (status === undefined) return [peerFault(object, fault)];
  const notes = clock === undefined ? [] : clockFindings(object, clock);
  notes.push(...versionFindings(object, status.softwareVersion));
  if (notes.length > 0) return notes;
  return [ok(object, `answers in ${roundTripMs.toFixed(1)} ms, version ${status.softwareVersion}`)];
}

/** Why a server on the TCP plane gave no answer. */
export function peerFault(object: string, fault: DsmError | undefined): Seen {
  const { code, message, remedy } = fault ?? new DsmError("UNREACHABLE", "it gave no answer");
  if (code === "FORBIDDEN") {
    return error(object, message, "give this host and that one the same cluster secret");
  }
  const reach = "start it there, and let the firewalls between here and there pass its port";
  const isUnreached = code === "UNREACHABLE" || code === "TIMEOUT";
  return error(object, message, isUnreached ? reach : (remedy ?? "look at its log"));
}

export function versionFindings(object: string, version: string): Seen[] {
  if (version === softwareVersion) return [];
  const what = `it runs version ${version}, and this host has ${softwareVersion}`;
  return [warning(object, what, "bring all hosts to one version, one process after the other")];
}

/** A storage that is cut off from one tracker alone is found nowhere else. */
function differingViews(trackers: readonly TrackerView[]): Seen[] {
  const answered = trackers.filter(({ status }) => status !== undefined);
  const onlineAt = new Map(
    answered.map(({ endpoint, status }) => [endpoint, onlineIds(status?.groups ?? [])]),
  );
  const all = new Set([...onlineAt.values()].flatMap((ids) => Array.from(ids)));
  return [...onlineAt].flatMap(([endpoint, ids]) =>
    [...all.difference(ids)].map((id) =>
      error(
        `tracker ${endpoint}`,
        `it does not see storage ${id}, which another tracker has online`,
        `name this tracker in that storage's configuration, and let the firewalls between them pass it`,
      ),
    ),
  );
}

function onlineIds(groups: NonNullable<TrackerView["status"]>["groups"]): Set<string> {
  const members = groups.flatMap((group) => group.members);
  return new Set(members.filter(({ online }) => online).map(({ storageId }) => storageId));
}

import { DsmError, type Member } from "@dsm/protocol";
import { askRoot, type RootSeen } from "@dsm/storage";
import { error, ok, type Seen, skipped, warning } from "./finding.ts";
import { inodeFindings } from "./inodes.ts";
import { membersOf } from "./members.ts";
import type { Subject } from "./subject.ts";

/** Of each group whether all its members have one file system, and how each of them finds it. */
export async function checkGroups(subject: Subject, signal: AbortSignal): Promise<Seen[]> {
  const members = (membersOf(subject) ?? []).filter(({ online }) => online);
  if (members.length === 0) return [skipped("groups", "no storage is known to be online")];
  const seen = [...Map.groupBy(members, ({ group }) => group)].map(([group, all]) =>
    lookAtGroup(subject, group, all, signal),
  );
  return (await Promise.all(seen)).flat();
}

async function lookAtGroup(
  { secret }: Subject,
  group: string,
  members: readonly Member[],
  signal: AbortSignal,
): Promise<Seen[]> {
  const object = `group ${group}`;
  const answers = await Promise.all(
    members.map(async (member) => {
      try {
        const seen = await askRoot(member.dataUrl, members, { secret, group, signal });
        return rootFindings(object, member, seen);
      } catch (thrown) {
        return [silent(object, member, DsmError.from(thrown, "asking it for its root"))];
      }
    }),
  );
  const notes = answers.flat();
  if (notes.length > 0) return notes;
  if (members.length === 1) return [ok(object, "one storage is online, and its root is mounted")];
  return [ok(object, `its ${members.length} storages that are online have one file system`)];
}

function rootFindings(object: string, { storageId }: Member, seen: RootSeen): Seen[] {
  const notes = seen.unseen.map((other) => {
    const what = `storages ${storageId} and ${other} have different file systems: what ${other} writes is not seen by ${storageId}`;
    const how =
      "stop one of them; look at the mounts of both hosts for a brick or a copied disk that is mounted by itself, or another volume";
    return error(object, what, how);
  });
  if (seen.sync === "none") {
    const what = `sync of storage ${storageId} is none: acknowledged files do NOT survive a power cut`;
    notes.push(warning(object, what, "leave sync out of its configuration, or set it to auto"));
  }
  const { inodes, freeInodes } = seen;
  notes.push(...inodeFindings(`${object}, storage ${storageId}`, { inodes, freeInodes }));
  return notes;
}

/** A storage that cannot be reached is a finding of its own already. */
function silent(object: string, { storageId, dataUrl }: Member, fault: DsmError): Seen {
  const { code, message, remedy } = fault;
  if (code === "STORAGE_FAILED") {
    const how = remedy ?? `look at the log of storage ${storageId} and at its mounts`;
    return error(object, `storage ${storageId}: ${message}`, how);
  }
  if (code === "UNKNOWN_ROUTE") {
    return skipped(
      object,
      `storage ${storageId} is of a version that cannot be asked for its root`,
    );
  }
  return skipped(object, `storage ${storageId} at ${dataUrl} cannot be asked: ${message}`);
}

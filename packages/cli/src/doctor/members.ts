import type { Member } from "@dsm/protocol";
import type { Subject } from "./subject.ts";

/** Of each storage what was heard last; undefined when no tracker answered. */
export function membersOf({ trackers }: Subject): Member[] | undefined {
  const views = trackers.flatMap(({ status }) => (status === undefined ? [] : [status]));
  if (views.length === 0) return undefined;
  const newest = new Map<string, Member>();
  for (const member of views.flatMap(({ groups }) => groups.flatMap((it) => it.members))) {
    const other = newest.get(member.storageId);
    const isNews = other === undefined || Number(member.online) > Number(other.online);
    if (isNews || (member.online === other.online && member.lastBeatAtMs > other.lastBeatAtMs)) {
      newest.set(member.storageId, member);
    }
  }
  return [...newest.values()].toSorted((a, b) => (a.storageId < b.storageId ? -1 : 1));
}

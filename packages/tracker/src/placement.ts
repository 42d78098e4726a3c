import { DsmError, type Intent, isBelowReserve, type Member, reserveRemedy } from "@dsm/protocol";

/**
 * The group for a new user: the one with most room among those that can take a write now. All
 * members share one file system, so the room of a group is what its best member says.
 * @throws DsmError GROUP_UNAVAILABLE or STORAGE_FULL
 */
export function roomiestGroup(members: readonly Member[]): string {
  let best: Member | undefined;
  for (const member of members) {
    if (!canServe(member, "write")) continue;
    if (best === undefined || roomier(member, best)) best = member;
  }
  if (best !== undefined) return best.group;
  const full = members.filter((member) => member.online && member.full);
  if (full.length > 0) throw allFull("the cluster", full);
  if (members.some((member) => member.online && member.failing === true)) {
    throw cannotWrite("no storage of any group");
  }
  throw new DsmError("GROUP_UNAVAILABLE", "no storage of any group is live for a new user", {
    remedy: "start a storage (dsm storage), and see dsm status",
  });
}

function roomier(a: Member, b: Member): boolean {
  // The name decides between equals, so that every tracker decides alike.
  return a.freeBytes === b.freeBytes ? a.group < b.group : a.freeBytes > b.freeBytes;
}

export function canServe(member: Member, intent: Intent): boolean {
  if (!member.online || member.draining) return false;
  // A delete frees space in the end, so a full member takes it; but it is journaled first.
  if (intent === "read") return true;
  return member.failing !== true && !(intent === "write" && member.full);
}

/** Why no member of the group can serve, in the words of design section 2. */
export function whyNoneServes(
  group: string,
  members: readonly Member[],
  trackerStartedAtMs: number,
): DsmError {
  const remedy = `start a storage of group ${group}, and see dsm status`;
  const unavailable = (why: string) => new DsmError("GROUP_UNAVAILABLE", why, { remedy });
  const lastBeatAtMs = Math.max(...members.map((member) => member.lastBeatAtMs));
  if (members.length === 0) {
    const since = new Date(trackerStartedAtMs).toISOString();
    return unavailable(
      `no storage of group ${group} has joined since this tracker started ${since}`,
    );
  }
  const online = members.filter((member) => member.online);
  if (online.length === 0) {
    const since = new Date(lastBeatAtMs).toISOString();
    return unavailable(`group ${group} has had no live storage since ${since}`);
  }
  const running = online.filter((member) => !member.draining);
  if (running.some((member) => member.failing === true)) {
    return cannotWrite(`no storage of group ${group}`);
  }
  if (running.length > 0) return allFull(`group ${group}`, running);
  return unavailable(`all live storages of group ${group} are draining`);
}

function cannotWrite(who: string): DsmError {
  return new DsmError("STORAGE_FAILED", `${who} can write to its disk`, {
    remedy: "see the logs of the storages: they say what the disk answers",
  });
}

/** @param full the members that are, of which the one with most room speaks for all */
function allFull(what: string, full: readonly Member[]): DsmError {
  const best = full.toSorted((a, b) => b.freeBytes - a.freeBytes)[0];
  const why = best === undefined ? "" : `: storage ${best.storageId} ${whyFull(best)}`;
  return new DsmError("STORAGE_FULL", `${what} has no storage with room for more${why}`, {
    remedy:
      best !== undefined && isBelowReserve(best)
        ? reserveRemedy
        : "add space or inodes to the group file system, or delete files",
  });
}

function whyFull(member: Member): string {
  const { freeBytes, reserveBytes } = member;
  const free = `has ${freeBytes} bytes free`;
  if (isBelowReserve(member)) return `${free} and keeps ${reserveBytes} in reserve`;
  // An older dsm does not say what it keeps.
  if (reserveBytes === undefined) return free;
  return `${free}, with ${reserveBytes} in reserve, and its disk has refused more`;
}

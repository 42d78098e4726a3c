import { isLoopback, isWildcard, type Member } from "@dsm/protocol";
import { clockFindings } from "./clock.ts";
import { error, ok, type Seen, skipped, warning } from "./finding.ts";
import { probeHttp } from "./http-probe.ts";
import { membersOf } from "./members.ts";
import type { Subject } from "./subject.ts";
import { versionFindings } from "./trackers.ts";
import { whyFull } from "../why-full.ts";
import { sizeText, timeText } from "../table.ts";

/** Where less than this is left, the storage has days rather than months. */
const freeShareNoted = 0.05;

export async function checkStorages(subject: Subject, signal: AbortSignal): Promise<Seen[]> {
  const members = membersOf(subject);
  if (members === undefined) return [skipped("storages", "no tracker tells which there are")];
  if (members.length === 0) {
    const how = "start one with dsm storage, and name these trackers to it";
    return [error("storages", "none has joined a tracker", how)];
  }
  const isSpread = spansHosts(subject, members);
  const seen = members.map((member) => look(member, isSpread, signal));
  return (await Promise.all(seen)).flat();
}

async function look(member: Member, isSpread: boolean, signal: AbortSignal): Promise<Seen[]> {
  const object = `storage ${member.storageId} of group ${member.group}`;
  if (!member.online) return [offline(object, member)];
  const notes = [
    ...stateFindings(object, member),
    ...addressFindings(object, member, isSpread),
    ...versionFindings(object, member.softwareVersion),
    ...(await portFindings(object, member, signal)),
  ];
  const room = `${sizeText(member.freeBytes)} of ${sizeText(member.totalBytes)} free`;
  return notes.length > 0 ? notes : [ok(object, `serves at ${member.dataUrl}, ${room}`)];
}

function offline(object: string, { storageId, lastBeatAtMs }: Member): Seen {
  const what = `offline, last heard of at ${timeText(lastBeatAtMs)}`;
  const how = `start it again, or let it be forgotten: dsm storage remove ${storageId}`;
  return error(object, what, how);
}

function stateFindings(object: string, member: Member): Seen[] {
  const { storageId, freeBytes, totalBytes } = member;
  const found: Seen[] = [];
  const room = `${sizeText(freeBytes)} of ${sizeText(totalBytes)}`;
  if (member.failing === true) {
    const how = "its log says what the disk said; look at the mount and at dmesg of its host";
    found.push(error(object, "writing to its disk fails", how));
  }
  if (member.full) {
    const how = "add space, delete files, or move users: dsm user assign USER GROUP";
    const what = `full, it takes no uploads: ${room} are free, ${whyFull(member)}`;
    found.push(error(object, what, how));
  } else if (totalBytes > 0 && freeBytes / totalBytes < freeShareNoted) {
    found.push(warning(object, `only ${room} are free`, "add space before it is full"));
  }
  if (member.draining) {
    const how = `where that is over: dsm storage drain ${storageId} --undo`;
    found.push(warning(object, "draining: clients are not sent to it", how));
  }
  if (member.movesHeldUp !== undefined) {
    const what = `files of users who were moved here do not follow: ${member.movesHeldUp}`;
    found.push(warning(object, what, "see dsm user moves"));
  }
  return found;
}

/** Whether any part of the cluster says that it is on another host than this. */
function spansHosts({ trackers }: Subject, members: readonly Member[]): boolean {
  const urls = trackers.map(({ endpoint }) => `http://${endpoint}`);
  urls.push(...members.map(({ dataUrl }) => dataUrl));
  return urls.some((url) => !isLoopback(hostOf(url)) && !isWildcard(hostOf(url)));
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

function addressFindings(object: string, { dataUrl }: Member, isSpread: boolean): Seen[] {
  const host = hostOf(dataUrl);
  const how = "set --data-url to an address of its host that all the others reach";
  if (isWildcard(host)) {
    return [error(object, `announces ${dataUrl}, where nobody can connect to`, how)];
  }
  if (!isSpread || !isLoopback(host)) return [];
  return [error(object, `announces ${dataUrl}, which means every host itself`, how)];
}

async function portFindings(object: string, member: Member, signal: AbortSignal): Promise<Seen[]> {
  const { dataUrl, publicUrl } = member;
  const inside = await probeHttp(`${dataUrl}/healthz`, { signal });
  const found: Seen[] = [];
  const how = "check its address (--data-url) and the firewalls between here and there";
  if (typeof inside === "string") {
    found.push(error(object, `${dataUrl} cannot be reached from here: ${inside}`, how));
  } else if (inside.status !== 200) {
    const what = `${dataUrl}/healthz answers ${inside.status}: that is no dsm storage`;
    found.push(error(object, what, how));
  } else if (inside.clock !== undefined) {
    found.push(...clockFindings(object, inside.clock));
  }
  if (publicUrl === dataUrl) return found;
  const outside = await probeHttp(`${publicUrl}/healthz`, { signal });
  if (typeof outside !== "string" && outside.status === 200) return found;
  const why = typeof outside === "string" ? outside : `it answers ${outside.status}`;
  const remedy = "check --public-url and what stands in front of it, or look from outside";
  return [...found, warning(object, `public URL ${publicUrl}: ${why}`, remedy)];
}

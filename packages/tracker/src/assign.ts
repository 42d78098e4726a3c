import type { Catalog } from "@dsm/catalog";
import type { Clock } from "@dsm/clock";
import { DsmError, limits, type RequestOf, type ResponseOf } from "@dsm/protocol";
import type { Membership } from "./membership.ts";

interface AssignPorts {
  readonly catalog: Catalog;
  readonly membership: Pick<Membership, "membersOf">;
  readonly clock: Clock;
}

/**
 * Makes a group that of a user. Nothing is copied here: the storages of the group see in the
 * catalog what lies elsewhere.
 * @throws DsmError GROUP_UNAVAILABLE, STORAGE_FULL
 */
export async function assignUser(
  { catalog, membership, clock }: AssignPorts,
  { user, group }: RequestOf<"assign">,
): Promise<ResponseOf<"assign">> {
  const members = membership.membersOf(group);
  if (members.length === 0) {
    throw new DsmError("GROUP_UNAVAILABLE", `no storage of group ${group} has joined`, {
      remedy: "see dsm status for the groups that there are",
    });
  }
  const movesBytes = await bytesToMove(catalog, user, group);
  if (movesBytes > 0) {
    const online = members.filter((member) => member.online);
    const freeBytes = Math.max(0, ...online.map((member) => (member.full ? 0 : member.freeBytes)));
    const comingBytes = await bytesComing(catalog, user, group);
    if (movesBytes + comingBytes > freeBytes) {
      throw noRoom({ user, group, movesBytes, comingBytes, freeBytes });
    }
  }
  await catalog.reassignGroup(user, group, clock.now());
  return { group };
}

/** What the user has outside of that group. */
async function bytesToMove(catalog: Catalog, user: string, group: string): Promise<number> {
  const usage = await catalog.usageOf(user);
  if (usage === undefined || usage.group === group) return 0;
  const moves = await catalog.moves({ user, limit: limits.listMax });
  const there = moves.filter(({ from }) => from === group);
  return usage.liveBytes - there.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** What of other users has still to move there. */
async function bytesComing(catalog: Catalog, user: string, to: string): Promise<number> {
  let sum = 0;
  for (let after: { user: string; from: string } | undefined; ;) {
    const query = { to, limit: limits.listMax };
    const page = await catalog.moves(after === undefined ? query : { ...query, after });
    for (const move of page) if (move.user !== user) sum += move.bytes;
    if (page.length < limits.listMax) return sum;
    after = page.at(-1);
  }
}

interface Room {
  readonly user: string;
  readonly group: string;
  readonly movesBytes: number;
  readonly comingBytes: number;
  readonly freeBytes: number;
}

function noRoom({ user, group, movesBytes, comingBytes, freeBytes }: Room): DsmError {
  const beside = comingBytes === 0 ? "" : ` beside ${comingBytes} bytes of other users`;
  return new DsmError(
    "STORAGE_FULL",
    `group ${group} has room for ${freeBytes} bytes, and user ${user} has ${movesBytes} bytes to ` +
      `move there${beside}`,
    { remedy: "add space to the group, or choose another one: see dsm status" },
  );
}

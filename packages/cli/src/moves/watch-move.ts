import type { DsmClient } from "@dsm/client";
import { DsmError, limits } from "@dsm/protocol";
import { warn } from "../report.ts";
import { workBar } from "../work-bar.ts";

const lookIntervalMs = 500;

interface Watch {
  readonly user: string;
  readonly group: string;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** What of a user lies elsewhere. A user is seldom in more than two groups at a time. */
export async function leftToMove(client: DsmClient, user: string) {
  const { moves } = await client.moves({ user, limit: limits.listMax });
  const [to] = moves.map((move) => move.to);
  const files = moves.reduce((sum, move) => sum + move.files, 0);
  const bytes = moves.reduce((sum, move) => sum + move.bytes, 0);
  return { to, files, bytes };
}

/**
 * Resolves when all files of the user are in the group. What holds the move up is told on stderr,
 * and it goes on as soon as that is mended; whoever does not want to wait may leave.
 * @throws DsmError CONFLICT when the user was sent elsewhere meanwhile; the signal's reason
 */
export async function watchMove(client: DsmClient, watch: Watch): Promise<void> {
  const { user, group, json, signal } = watch;
  using bar = workBar(json);
  let total = 0;
  let told: string | undefined;
  for (;;) {
    const { to, files, bytes } = await leftToMove(client, user);
    if (files === 0) return;
    if (to !== group) {
      throw new DsmError("CONFLICT", `user ${user} was assigned to group ${to} meanwhile`);
    }
    total = Math.max(total, bytes);
    const doing = `moving ${user} to ${group}, ${files} files left`;
    bar.show({
      doing: total === 0 ? doing : `moving ${user}`,
      done: total - bytes,
      total,
      unit: "bytes",
    });
    const heldUp = await whatHoldsUp(client, group);
    if (heldUp !== undefined && heldUp !== told) {
      bar.clear();
      warn(`dsm: the move to group ${group} is held up: ${heldUp}`);
    }
    told = heldUp;
    await pause(signal);
    if (!signal.aborted) continue;
    bar.clear();
    warn("dsm: the files go on moving in the background: see dsm user moves");
    signal.throwIfAborted();
  }
}

/** As the storages of the group say. */
export async function whatHoldsUp(client: DsmClient, group: string): Promise<string | undefined> {
  const { groups } = await client.status();
  const members = groups.find((each) => each.group === group)?.members ?? [];
  const online = members.filter((member) => member.online);
  if (online.length === 0) return `no storage of group ${group} is online`;
  return online.find((member) => member.movesHeldUp !== undefined)?.movesHeldUp;
}

/** One interval, or less when it is aborted. */
function pause(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, lookIntervalMs);
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (signal.aborted) resolve();
  return promise.finally(() => clearTimeout(timer));
}

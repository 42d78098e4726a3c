import type { Catalog } from "@dsm/catalog";
import type { Clock } from "@dsm/clock";
import {
  DsmError,
  type MovesPage,
  type RequestOf,
  type StoredSpace,
  type TrashPage,
  type UserUsage,
} from "@dsm/protocol";
import type { RpcHandlers } from "@dsm/rpc";

type Space = Pick<Catalog, "usageOf" | "usageOfGroup" | "setQuota" | "trashOf" | "moves">;

/** What trackers answer about space: usage, quotas, the trash. All of it stands in the catalog. */
export function spaceHandlers(catalog: Space, clock: Clock): RpcHandlers {
  return {
    usage: ({ user }) => usage(catalog, user),
    space: ({ group }): Promise<StoredSpace> => catalog.usageOfGroup(group),
    quota: async ({ user, quotaBytes }) => {
      await catalog.setQuota(user, quotaBytes ?? undefined, clock.now());
      return usage(catalog, user);
    },
    trash: (query) => trashPage(catalog, query),
    moves: (query) => movesPage(catalog, query),
  };
}

/** @throws DsmError USER_NOT_FOUND */
async function usage(catalog: Pick<Catalog, "usageOf">, user: string): Promise<UserUsage> {
  const found = await catalog.usageOf(user);
  if (found !== undefined) return found;
  throw new DsmError("USER_NOT_FOUND", `there is no user ${user}`, {
    remedy: "a user comes to be with the first upload, or with dsm user assign",
  });
}

async function movesPage(catalog: Space, query: RequestOf<"moves">): Promise<MovesPage> {
  const { user, after, limit } = query;
  const moves = await catalog.moves({
    limit,
    ...(user === undefined ? {} : { user }),
    ...(after === undefined ? {} : { after }),
  });
  const last = moves.length < limit ? undefined : moves.at(-1);
  return last === undefined ? { moves } : { moves, next: { user: last.user, from: last.from } };
}

/** @throws DsmError USER_NOT_FOUND */
async function trashPage(catalog: Space, query: RequestOf<"trash">): Promise<TrashPage> {
  const { user, limit, prefix, after } = query;
  const blobs = await catalog.trashOf({
    user,
    limit,
    ...(prefix === undefined ? {} : { prefix }),
    ...(after === undefined ? {} : { after }),
  });
  // Only a user whom nobody knows has an empty trash for that reason.
  if (blobs.length === 0) await usage(catalog, user);
  const last = blobs.length < limit ? undefined : blobs.at(-1);
  return last === undefined ? { blobs } : { blobs, next: last.file.blobId };
}

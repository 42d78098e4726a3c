import { assertUser, limits, type MovesPage, type UserMove } from "@dsm/protocol";
import { clusterArgs } from "../find-cluster.ts";
import { whatHoldsUp } from "../moves/watch-move.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { sizeText, tableLines } from "../table.ts";
import { withClient } from "../with-client.ts";

export const userMoves = command({
  args: {
    user: { type: "positional", required: false, description: "Only this user." },
    ...clusterArgs,
  },
  async run({ args, json }) {
    const { user } = args;
    if (user !== undefined) assertUser(user);
    return withClient(args, async (client) => {
      const moves: UserMove[] = [];
      let after: MovesPage["next"];
      do {
        const page = await client.moves({
          limit: limits.listMax,
          ...(user === undefined ? {} : { user }),
          ...(after === undefined ? {} : { after }),
        });
        moves.push(...page.moves);
        after = page.next;
      } while (after !== undefined);
      const heldUp: Record<string, string> = {};
      for (const group of new Set(moves.map(({ to }) => to))) {
        const why = await whatHoldsUp(client, group);
        if (why !== undefined) heldUp[group] = why;
      }
      await sayResult(json, { moves, heldUp }, lines(moves, heldUp));
      return 0;
    });
  },
});

function lines(moves: readonly UserMove[], heldUp: Readonly<Record<string, string>>): string[] {
  if (moves.length === 0) return ["all files are in the groups of their users"];
  const rows = moves.map(({ user, from, to, files, bytes }) => [
    user,
    from,
    to,
    String(files),
    sizeText(bytes),
  ]);
  const table = tableLines([["USER", "FROM", "TO", "FILES LEFT", "BYTES LEFT"], ...rows]);
  const why = Object.entries(heldUp).map(([group, what]) => `to ${group}, held up: ${what}`);
  return [...table, ...why];
}

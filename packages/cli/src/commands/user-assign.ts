import { assertGroup, assertUser } from "@dsm/protocol";
import { clusterArgs } from "../find-cluster.ts";
import { leftToMove, watchMove } from "../moves/watch-move.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { sizeText } from "../table.ts";
import { withClient } from "../with-client.ts";

export const userAssign = command({
  args: {
    user: { type: "positional", required: true, description: "The user." },
    group: { type: "positional", required: true, description: "The group." },
    "no-wait": { type: "boolean", description: "Do not wait until all files are there." },
    ...clusterArgs,
  },
  async run({ args, json, signal }) {
    const { user } = args;
    assertUser(user);
    assertGroup(args.group);
    const isWaiting = args["no-wait"] !== true;
    return withClient(args, async (client) => {
      const group = await client.assign(user, args.group);
      const { files, bytes } = await leftToMove(client, user);
      const done = `${user} is in group ${group}`;
      const those = `${files} files, ${sizeText(bytes)}`;
      if (files === 0) {
        await sayResult(json, { user, group }, [done]);
      } else if (isWaiting) {
        await watchMove(client, { user, group, json, signal });
        await sayResult(json, { user, group, moved: { files, bytes } }, [`${done}, with ${those}`]);
      } else {
        const later = `${done}, and ${those} follow: see dsm user moves`;
        await sayResult(json, { user, group, left: { files, bytes } }, [later]);
      }
      return 0;
    });
  },
});

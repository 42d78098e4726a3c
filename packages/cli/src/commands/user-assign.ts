import { assertGroup } from "@dsm/protocol";
import { clusterArgs } from "../find-cluster.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { withClient } from "../with-client.ts";

export const userAssign = command({
  args: {
    user: { type: "positional", required: true, description: "The user." },
    group: { type: "positional", required: true, description: "The group." },
    ...clusterArgs,
  },
  async run({ args, json }) {
    assertGroup(args.group);
    const group = await withClient(args, (client) => client.assign(args.user, args.group));
    await sayResult(json, { user: args.user, group }, [`${args.user} is in group ${group}`]);
    return 0;
  },
});

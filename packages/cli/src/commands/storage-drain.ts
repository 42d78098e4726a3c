import { clusterArgs } from "../find-cluster.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { withClient } from "../with-client.ts";

export const storageDrain = command({
  args: {
    id: { type: "positional", required: true, description: "The storage." },
    undo: { type: "boolean", description: "Name it to clients again." },
    ...clusterArgs,
  },
  async run({ args, json }) {
    const draining = args.undo !== true;
    await withClient(args, (client) => client.drain(args.id, draining));
    const line = draining
      ? `storage ${args.id} drains: no tracker names it any more once it has reported`
      : `storage ${args.id} is named again once it has reported`;
    await sayResult(json, { storage: args.id, draining }, [line]);
    return 0;
  },
});

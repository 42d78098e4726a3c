import { clusterArgs } from "../find-cluster.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { withClient } from "../with-client.ts";

export const storageRemove = command({
  args: {
    id: { type: "positional", required: true, description: "The storage, which is stopped." },
    ...clusterArgs,
  },
  async run({ args, json }) {
    await withClient(args, (client) => client.removeStorage(args.id));
    const line = `storage ${args.id} is forgotten; it would join again if it were started`;
    await sayResult(json, { storage: args.id, removed: true }, [line]);
    return 0;
  },
});

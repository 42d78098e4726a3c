import { parseSize } from "@dsm/config";
import { assertUser } from "@dsm/protocol";
import { clusterArgs } from "../find-cluster.ts";
import { warn } from "../report.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { withClient } from "../with-client.ts";
import { userLines } from "./usage.ts";

export const userQuota = command({
  args: {
    user: { type: "positional", required: true, description: "The user." },
    size: { type: "positional", required: true, description: "As 500GiB; none for no limit." },
    ...clusterArgs,
  },
  async run({ args, json }) {
    assertUser(args.user);
    const quotaBytes = args.size === "none" ? undefined : parseSize("SIZE", args.size, 0);
    const usage = await withClient(args, (client) => client.setQuota(args.user, quotaBytes));
    await sayResult(json, usage, userLines(usage));
    if (quotaBytes !== undefined && usage.liveBytes > quotaBytes) {
      warn(`dsm: user ${args.user} has more than that: nothing is deleted, and nothing more fits`);
    }
    return 0;
  },
});

import { parseDuration } from "@dsm/config";
import { clusterArgs } from "../find-cluster.ts";
import { pingHttp } from "../ping/ping-http.ts";
import { pingRpc } from "../ping/ping-rpc.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";

const { tracker: _, ...secretArgs } = clusterArgs;
const timeoutMaxMs = 60_000;

/**
 * For the checks of Keepalived, containers and load balancers: it starts fast and ends in time,
 * and a process that hangs fails it as well as a dead one.
 */
export const ping = command({
  args: {
    target: {
      type: "positional",
      required: true,
      description:
        "HOST:PORT of a tracker or an ID server, or the URL of a gateway (its /readyz is asked) " +
        "or of any page.",
    },
    timeout: {
      type: "string",
      valueHint: "SPAN",
      default: "2s",
      description: "How long the answer may take, the connection and all.",
    },
    ...secretArgs,
  },
  async run({ args, json, signal }) {
    const timeoutMs = parseDuration("--timeout", args.timeout, 1, timeoutMaxMs);
    const isUrl = /^https?:\/\//.test(args.target);
    const answer = isUrl
      ? await pingHttp(args.target, { timeoutMs, signal })
      : await pingRpc(args.target, args, { timeoutMs, signal });
    const { what, tookMs } = answer;
    await sayResult(json, { target: args.target, ...answer }, [
      `${args.target}: ${what} in ${tookMs.toFixed(1)} ms`,
    ]);
    return 0;
  },
});

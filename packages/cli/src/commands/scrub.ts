import type { DsmClient } from "@dsm/client";
import { parseSize } from "@dsm/config";
import { limits } from "@dsm/protocol";
import { clusterArgs } from "../find-cluster.ts";
import { groupsOf } from "../fsck/groups.ts";
import { damagedLine, damagedSchema, standingLines, standingSchema } from "../scrub/lines.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { usage } from "../strict-args.ts";
import { withClient } from "../with-client.ts";
import { workBar } from "../work-bar.ts";

export const scrub = command({
  args: {
    group: { type: "string", valueHint: "GROUP", description: "Only this group. (Default: all)" },
    status: { type: "boolean", description: "Show how the scrubs stand. (Default)" },
    now: { type: "boolean", description: "Begin a pass, or join the one under way, and watch it." },
    rate: {
      type: "string",
      valueHint: "SIZE",
      description: "Bytes a second for that pass, as 100MiB. (Default: as the storages have it)",
    },
    ...clusterArgs,
  },
  async run({ args, json, signal }) {
    const now = args.now === true;
    if (now && args.status === true) throw usage("dsm scrub", "--now and --status exclude another");
    if (args.rate !== undefined && !now) throw usage("dsm scrub", "--rate is for --now");
    const rate =
      args.rate === undefined ? {} : { bytesPerSecond: parseSize("--rate", args.rate, minRate) };
    const terms = { json, signal, params: { now, ...rate } };
    return withClient(args, async (client) => {
      let bad = 0;
      for (const group of await groupsOf(client, args.group)) {
        bad += await askGroup(client, group, terms);
      }
      return bad === 0 ? 0 : 1;
    });
  },
});

const minRate = limits.scrubReadCostBytes;

interface Terms {
  readonly json: boolean;
  readonly signal: AbortSignal;
  readonly params: Readonly<Record<string, unknown>>;
}

/**
 * Whoever stops watching does not stop the pass.
 * @returns how many live files cannot be read as a whole: old versions in the trash harm nobody
 */
async function askGroup(client: DsmClient, group: string, terms: Terms): Promise<number> {
  const { json, signal, params } = terms;
  using bar = workBar(json);
  let bad = 0;
  for await (const line of client.maintain({ group, job: "scrub", params, signal })) {
    if ("progress" in line) {
      bar.show({ ...line.progress, doing: `group ${group}: ${line.progress.doing}` });
    } else if ("finding" in line) {
      bar[Symbol.dispose]();
      const file = damagedSchema.parse(line.finding);
      if (file.state === "live") bad++;
      await sayResult(json, { damaged: { group, ...file } }, [damagedLine(group, file)]);
    } else {
      bar[Symbol.dispose]();
      const standing = standingSchema.parse(line.done);
      if (standing.pass === undefined) bad += standing.last?.missing ?? 0;
      await sayResult(json, standing, standingLines(standing));
    }
  }
  return bad;
}

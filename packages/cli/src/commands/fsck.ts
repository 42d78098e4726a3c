import type { DsmClient } from "@dsm/client";
import { parseSize } from "@dsm/config";
import { DsmError } from "@dsm/protocol";
import { clusterArgs } from "../find-cluster.ts";
import { findingLine, foundSchema, summaryLines, summarySchema } from "../fsck/lines.ts";
import { groupsOf } from "../fsck/groups.ts";
import { sayError } from "../report.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { withClient } from "../with-client.ts";
import { workBar } from "../work-bar.ts";

interface Terms {
  readonly json: boolean;
  readonly signal: AbortSignal;
  readonly params: { readonly repair: boolean } & Readonly<Record<string, unknown>>;
}

export const fsck = command({
  args: {
    group: { type: "string", valueHint: "GROUP", description: "Only this group. (Default: all)" },
    repair: {
      type: "boolean",
      description: "Mend what can be mended; nothing unproven is deleted.",
    },
    digests: { type: "boolean", description: "Read all bytes and check their SHA-256 too." },
    rate: {
      type: "string",
      valueHint: "SIZE",
      description: "Bytes read per second for --digests, as 50MiB. (Default: no limit)",
    },
    ...clusterArgs,
  },
  async run({ args, json, signal }) {
    const params = {
      repair: args.repair === true,
      digests: args.digests === true,
      bytesPerSecond: args.rate === undefined ? 0 : parseSize("--rate", args.rate, 1),
    };
    return withClient(args, async (client) => {
      const checked = await checkAll(client, await groupsOf(client, args.group), {
        json,
        signal,
        params,
      });
      if (checked.failure !== undefined) throw checked.failure;
      return checked.left === 0 ? 0 : 1;
    });
  },
});

interface Checked {
  /** Findings of which nothing was repaired. */
  readonly left: number;
  /** Of the first group that could not be checked to its end. */
  readonly failure?: unknown;
}

/** One group after the other; one that cannot be checked does not keep the others from it. */
async function checkAll(
  client: DsmClient,
  groups: readonly string[],
  terms: Terms,
): Promise<Checked> {
  let left = 0;
  const failures: unknown[] = [];
  for (const group of groups) {
    try {
      left += await checkGroup(client, group, terms);
    } catch (error) {
      terms.signal.throwIfAborted();
      // The last thing that is said is the first that went wrong.
      if (failures.length > 0) sayError(DsmError.from(error, `fsck of group ${group}`), terms.json);
      failures.push(error);
    }
  }
  return failures.length === 0 ? { left } : { left, failure: failures[0] };
}

async function checkGroup(client: DsmClient, group: string, terms: Terms): Promise<number> {
  const { json, signal, params } = terms;
  using bar = workBar(json);
  let left = 0;
  for await (const line of client.maintain({ group, job: "fsck", params, signal })) {
    if ("progress" in line) {
      bar.show({ ...line.progress, doing: `group ${group}: ${line.progress.doing}` });
      continue;
    }
    bar.clear();
    if ("finding" in line) {
      const finding = foundSchema.parse(line.finding);
      if (finding.repaired === undefined) left++;
      await sayResult(json, { finding: { group, ...finding } }, [findingLine(finding, params)]);
    } else {
      await sayResult(json, line, summaryLines(summarySchema.parse(line.done)));
    }
  }
  return left;
}

import { DsmError, type StoredSpace, type UserUsage } from "@dsm/protocol";
import { clusterArgs } from "../find-cluster.ts";
import { groupsOf } from "../fsck/groups.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { sizeText, tableLines } from "../table.ts";
import { withClient } from "../with-client.ts";

export const usage = command({
  args: {
    user: { type: "string", valueHint: "USER", description: "Of this user. (Default: of groups)" },
    group: { type: "string", valueHint: "GROUP", description: "Of this group. (Default: all)" },
    ...clusterArgs,
  },
  async run({ args, json }) {
    const { user, group } = args;
    if (user !== undefined && group !== undefined) {
      throw new DsmError("USAGE", "--user and --group are two questions", {
        remedy: "give one of them, or none for all groups",
      });
    }
    await withClient(args, async (client) => {
      if (user !== undefined) {
        const found = await client.usage(user);
        await sayResult(json, found, userLines(found));
        return;
      }
      const groups: Array<StoredSpace & { group: string }> = [];
      for (const name of await groupsOf(client, group)) {
        groups.push({ group: name, ...(await client.groupUsage(name)) });
      }
      await sayResult(json, { groups }, groupLines(groups));
    });
    return 0;
  },
});

export function userLines(found: UserUsage): string[] {
  const { user, group, liveFiles, liveBytes, trashBlobs, trashBytes, quotaBytes } = found;
  return tableLines([
    ["user", user],
    ["group", group],
    ["files", `${liveFiles}, ${bytesText(liveBytes)}`],
    ["trash", `${trashBlobs} blobs, ${bytesText(trashBytes)}`],
    ["quota", quotaText(liveBytes, quotaBytes)],
  ]);
}

function quotaText(liveBytes: number, quotaBytes: number | undefined): string {
  if (quotaBytes === undefined) return "none";
  const used = quotaBytes === 0 ? "" : `, ${Math.floor((liveBytes / quotaBytes) * 100)} % used`;
  return `${bytesText(quotaBytes)}${used}`;
}

function bytesText(bytes: number): string {
  return bytes < 1024 ? `${bytes} bytes` : `${bytes} bytes (${sizeText(bytes)})`;
}

function groupLines(groups: ReadonlyArray<StoredSpace & { group: string }>): string[] {
  const rows = groups.map(({ group, liveFiles, liveBytes, trashBlobs, trashBytes }) => [
    group,
    String(liveFiles),
    sizeText(liveBytes),
    String(trashBlobs),
    sizeText(trashBytes),
  ]);
  return tableLines([["GROUP", "FILES", "LIVE", "BLOBS IN TRASH", "TRASH"], ...rows]);
}

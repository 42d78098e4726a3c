import type { DsmClient } from "@dsm/client";
import { DsmError } from "@dsm/protocol";

/**
 * The groups that a command works on: the one that was named, else all that there are.
 * @throws DsmError GROUP_UNAVAILABLE
 */
export async function groupsOf(client: DsmClient, named: string | undefined): Promise<string[]> {
  const groups = (await client.status()).groups.map(({ group }) => group);
  const remedy = "see dsm status for the groups that there are";
  if (named !== undefined) {
    if (groups.includes(named)) return [named];
    throw new DsmError("GROUP_UNAVAILABLE", `no storage of group ${named} has joined`, { remedy });
  }
  if (groups.length > 0) return groups;
  throw new DsmError("GROUP_UNAVAILABLE", "no storage of any group has joined", { remedy });
}

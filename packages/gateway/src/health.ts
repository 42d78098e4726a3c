import type { DsmClient } from "@dsm/client";
import { DsmError } from "@dsm/protocol";

export interface Readiness {
  readonly ready: boolean;
  readonly reason?: string;
}

/** Ready means: a tracker answers, and a storage of some group can be read from. */
export async function readiness(client: DsmClient): Promise<Readiness> {
  try {
    const { groups } = await client.status();
    const members = groups.flatMap((group) => group.members);
    if (members.some((member) => member.online && !member.draining)) return { ready: true };
    return { ready: false, reason: "no storage is live" };
  } catch (error) {
    return { ready: false, reason: DsmError.from(error, "asking the trackers").sentence };
  }
}

import { DsmError, limits } from "@dsm/protocol";
import { RpcClient } from "@dsm/rpc";
import { ping } from "./ask-trackers.ts";
import { clockFindings } from "./clock.ts";
import { ok, type Seen, skipped } from "./finding.ts";
import type { Subject } from "./subject.ts";
import { peerFault } from "./trackers.ts";

export async function checkIdServers({ idServers, secret }: Subject): Promise<Seen[]> {
  if (idServers.length === 0) {
    const how = "name them with --id-servers, DSM_ID_SERVERS or id_servers in the --config file";
    return [skipped("ID servers", "none is named here", how)];
  }
  const seen = await Promise.all(idServers.map((endpoint) => look(endpoint, secret)));
  return seen.flat();
}

async function look(endpoint: string, secret: Subject["secret"]): Promise<Seen[]> {
  const object = `ID server ${endpoint}`;
  const requestTimeoutMs = 2 * limits.connectTimeoutMs;
  const client = new RpcClient({ endpoint, role: "client", secret, requestTimeoutMs });
  try {
    const { roundTripMs, clock } = await ping(client);
    const notes = clockFindings(object, clock);
    return notes.length > 0 ? notes : [ok(object, `answers in ${roundTripMs.toFixed(1)} ms`)];
  } catch (thrown) {
    return [peerFault(object, DsmError.from(thrown, `asking ${endpoint}`))];
  } finally {
    client.close();
  }
}

import { DsmClient } from "@dsm/client";
import { clusterSecret, DsmError, type FileInfo, mediaPath, signCapability } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import { freshnessMs } from "./cluster.ts";
import { absent, type MediaKey, type State } from "./file-history.ts";
import { HttpDoor } from "./http-door.ts";
import { SdkDoor } from "./sdk-door.ts";
import type { FinalPorts } from "./final-ports.ts";
import { checkSpace } from "./space-check.ts";
import { longestTtlMs } from "./workload.ts";

const quietTimeoutMs = 90_000;
const patienceMs = 20_000;

/**
 * Everything is healed: each file must be in one of the states that the ledger allows, the same
 * through every gateway and member and in every list, and what is stored must add up.
 */
export async function checkAtTheEnd(ports: FinalPorts): Promise<void> {
  const { cluster, ledger, keys, figures } = ports;
  await cluster.untilWhole();
  await using client = cluster.newClient();
  await untilQuiet(client);
  await untilMoved(client);
  // Then what gateways remember is over, and no file expires while it is looked at.
  await Bun.sleep(Math.max(freshnessMs, longestTtlMs));
  const states = new Map<MediaKey, State>();
  for (const key of keys) states.set(key, await checkFile(ports, client, key));
  for (const user of new Set(keys.map((key) => key.user))) {
    await checkList(ports, client, user, states);
  }
  ledger.finish();
  if (figures.violations.length === 0) await checkSpace(ports, states);
}

/** Writes whose clients have left may still be under way. */
async function untilQuiet(client: DsmClient): Promise<void> {
  const isQuiet = async () => {
    const { groups } = await client.status();
    return groups.every(({ members }) => members.every((member) => member.activeRequests === 0));
  };
  await until("no storage has anything to do", isQuiet, quietTimeoutMs);
}

/** Who has to move to the small disk goes to the large one: it may have become full since. */
async function untilMoved(client: DsmClient): Promise<void> {
  const moves = async () => (await client.moves({ limit: 1_000 })).moves;
  for (const user of new Set((await moves()).map((move) => move.user))) {
    await client.assign(user, "g1");
  }
  await until("all users have moved", async () => (await moves()).length === 0, quietTimeoutMs);
}

/** By every way that there is. @returns the state that all of them show */
async function checkFile(ports: FinalPorts, client: DsmClient, key: MediaKey): Promise<State> {
  const { cluster, ledger } = ports;
  const doors = [
    new SdkDoor(client),
    ...cluster.gateways.map(({ name, endpoint }) => {
      const origin = `http://${endpoint}`;
      const options = { name, origin, staleMs: 0, mayAnswerInOutage: false };
      return new HttpDoor({ ...options, userAgent: "final check" });
    }),
  ];
  const seen = new Map<string, State>();
  for (const door of doors) {
    const operation = ledger.begin(key, `final check by ${door.name}`);
    let isRight = true;
    const take = (state: State, bytes: Uint8Array, start: number) => {
      isRight &&= ledger.checkBytes(key, state, bytes, start);
    };
    const signal = AbortSignal.timeout(patienceMs);
    const outcome = await door.read(key, undefined, take, signal);
    if (outcome.is === "seen" && isRight) {
      operation.saw(outcome.state);
      seen.set(door.name, outcome.state);
      if (ledger.content(key, outcome.state)?.sizeBytes === outcome.sizeBytes) continue;
      if (outcome.state === absent) continue;
      ledger.violation("mixed", key, `${door.name} gives it ${outcome.sizeBytes} bytes`);
    } else {
      operation.nothing();
      const why = outcome.is === "seen" ? "wrong bytes" : outcome.why;
      ledger.violation("unexplained", key, `final read by ${door.name}: ${why}`);
    }
  }
  const state = seen.get("sdk") ?? absent;
  for (const [name, other] of seen) {
    if (other !== state) ledger.violation("stale", key, `sdk shows ${state}, ${name} ${other}`);
  }
  await checkMembers(ports, client, key, state);
  return state;
}

/** Straight from each storage, past its relay: the same bytes, or the same 404. */
async function checkMembers(
  { cluster, ledger }: FinalPorts,
  client: DsmClient,
  key: MediaKey,
  state: State,
): Promise<void> {
  const file = await statOf(client, key);
  const group = file?.group ?? (await client.usage(key.user)).group;
  const expiresAtMs = Date.now() + 60_000;
  const claims = { intent: "read", ...key, group, expiresAtMs, file } as const;
  const capability = signCapability(clusterSecret(cluster.secret), claims);
  for (const { role } of cluster.storages.filter(({ role: { name } }) => name.includes(group))) {
    const answer = await fetch(`http://${role.endpoint}${mediaPath(key.user, key.fileId)}`, {
      headers: { Authorization: `Bearer ${capability}` },
    });
    const bytes = await answer.bytes();
    if (state === absent) {
      if (answer.status === 404) continue;
      ledger.violation("resurrected", key, `${role.name} answers ${answer.status}`);
    } else if (answer.status !== 200) {
      ledger.violation("lost", key, `${role.name} answers ${answer.status}`);
    } else if (bytes.length !== ledger.content(key, state)?.sizeBytes) {
      ledger.violation("mixed", key, `${role.name} gives ${bytes.length} bytes`);
    } else {
      ledger.checkBytes(key, state, bytes, 0);
    }
  }
}

async function statOf(client: DsmClient, key: MediaKey): Promise<FileInfo | undefined> {
  try {
    return await client.stat(key.user, key.fileId);
  } catch (error) {
    if (error instanceof DsmError && error.code === "FILE_NOT_FOUND") return undefined;
    throw error;
  }
}

async function checkList(
  { ledger, keys }: FinalPorts,
  client: DsmClient,
  user: string,
  states: ReadonlyMap<MediaKey, State>,
): Promise<void> {
  const { files } = await client.list({ user, limit: 1_000 });
  for (const key of keys.filter((it) => it.user === user)) {
    const listed = files.find(({ fileId }) => fileId === key.fileId)?.sha256 ?? absent;
    if (listed === states.get(key)) continue;
    ledger.violation("out of order", key, `listed as ${listed}, read as ${states.get(key)}`);
  }
  const known = new Set(keys.map(({ fileId }) => fileId));
  for (const { fileId } of files.filter((file) => !known.has(file.fileId))) {
    ledger.violation("mixed", { user, fileId }, "it is listed, and nobody uploaded it");
  }
}

import type { DsmClient } from "@dsm/client";
import { DsmError, type Member, type TrackerStatus } from "@dsm/protocol";
import { clusterArgs } from "../find-cluster.ts";
import { resultText, say, sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { sizeText, spanText, tableLines } from "../table.ts";
import { whyFull } from "../why-full.ts";
import { withClient } from "../with-client.ts";

const watchIntervalMs = 1_000;
const clearScreen = "\u001b[H\u001b[2J\u001b[3J";

export const status = command({
  args: {
    watch: { type: "boolean", description: "Show it again each second until Ctrl-C." },
    ...clusterArgs,
  },
  async run({ args, json, signal }) {
    return withClient(args, async (client) => {
      if (args.watch !== true) {
        const seen = await look(client);
        await sayResult(json, toJson(seen), toLines(seen));
        return 0;
      }
      // One look after the other, until Ctrl-C or until nobody reads any more.
      for (;;) {
        signal.throwIfAborted();
        const seen = await look(client, true);
        const clear = !json && process.stdout.isTTY ? clearScreen : "";
        await say(clear + resultText(json, toJson(seen), toLines(seen)));
        await pause(signal);
      }
      /* oxlint-enable no-await-in-loop */
    });
  },
});

interface Seen {
  readonly trackers: Array<{ endpoint: string; response?: TrackerStatus; error?: DsmError }>;
  /** As the first tracker that answered sees it. */
  readonly view: TrackerStatus | undefined;
}

async function look(client: DsmClient, patient = false): Promise<Seen> {
  const trackers = await client.statusAll();
  const view = trackers.find((it) => it.response !== undefined)?.response;
  const failure = trackers.find((it) => it.error !== undefined)?.error;
  if (view === undefined && !patient) throw noneAnswered(trackers.length, failure);
  return { trackers, view };
}

function noneAnswered(count: number, failure: DsmError | undefined): DsmError {
  // A wrong secret is no outage.
  if (failure !== undefined && failure.code !== "UNREACHABLE") return failure;
  const why = failure === undefined ? "" : `: ${failure.message}`;
  return new DsmError("UNREACHABLE", `none of ${count} trackers answers${why}`, {
    remedy: "start them, or name others with --tracker",
    cause: failure,
  });
}

function toJson({ trackers, view }: Seen): unknown {
  return {
    trackers: trackers.map(({ endpoint, response, error }) => ({
      endpoint,
      online: response !== undefined,
      ...(response === undefined
        ? {}
        : { startedAtMs: response.startedAtMs, softwareVersion: response.softwareVersion }),
      ...(error === undefined ? {} : { error: error.toWire() }),
    })),
    groups: view?.groups ?? [],
  };
}

function toLines({ trackers, view }: Seen): string[] {
  const nowMs = Date.now();
  const trackerRows = trackers.map(({ endpoint, response, error }) => [
    endpoint,
    response === undefined ? "offline" : "online",
    response?.softwareVersion ?? "",
    response === undefined
      ? (error?.message ?? "")
      : `for ${spanText(nowMs - response.startedAtMs)}`,
  ]);
  const memberRows = (view?.groups ?? []).flatMap(({ group, members }) =>
    members.map((member) => [group, member.storageId, ...memberCells(member, nowMs)]),
  );
  const members =
    memberRows.length === 0
      ? ["no storage has joined"]
      : tableLines([memberColumns, ...memberRows]);
  return [...tableLines([["TRACKER", "STATE", "VERSION", ""], ...trackerRows]), "", ...members];
}

const memberColumns =
  "GROUP,STORAGE,STATE,SINCE,VERSION,FREE,OF,REQUESTS,DATA URL,PUBLIC URL".split(",");

function memberCells(member: Member, nowMs: number): string[] {
  const sinceMs = member.online ? member.joinedAtMs : member.lastBeatAtMs;
  return [
    stateOf(member),
    spanText(nowMs - sinceMs),
    member.softwareVersion,
    sizeText(member.freeBytes),
    sizeText(member.totalBytes),
    String(member.activeRequests),
    member.dataUrl,
    member.publicUrl === member.dataUrl ? "same" : member.publicUrl,
  ];
}

function stateOf(member: Member): string {
  const { online, draining, full, failing, movesHeldUp } = member;
  if (!online) return "offline";
  const isHeldUp = movesHeldUp !== undefined;
  const fullWords = full ? `full (${whyFull(member)})` : "";
  const failingWord = failing === true ? "failing" : "";
  const all = [draining ? "draining" : "", failingWord, fullWords, isHeldUp ? "moves held up" : ""];
  const notes = all.filter((it) => it !== "");
  return notes.length === 0 ? "online" : notes.join(", ");
}

/** One interval, or less when it is aborted. */
function pause(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, watchIntervalMs);
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise.finally(() => clearTimeout(timer));
}

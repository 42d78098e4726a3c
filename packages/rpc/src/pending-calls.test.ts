import { describe, expect, test } from "bun:test";
import { DsmError, type Frame, messages } from "@dsm/protocol";
import fc from "fast-check";
import { PendingCalls } from "./pending-calls.ts";
import { failureOf } from "./testing/servers.ts";

const { type } = messages.ping;
const pong = (requestId: number): Frame => ({
  kind: "response",
  type,
  requestId,
  body: { role: "id", nowMs: requestId },
});
const patient = (signal?: AbortSignal) => ({
  startMs: performance.now(),
  timeoutMs: 60_000,
  signal,
});
const calls = (lastId?: number) => new PendingCalls("host:1", () => {}, lastId);

describe("request ids", () => {
  test("wrap at 2^32 and leave out 0", () => {
    const pending = calls(0xffff_fffd);
    const ids = Array.from({ length: 4 }, () => pending.nextId());
    expect(ids).toEqual([0xffff_fffe, 0xffff_ffff, 1, 2]);
  });

  test("are not given again while a call or its late answer has them", async () => {
    const pending = calls(0xffff_fffe);
    const abort = new AbortController();
    const waiting = pending.add(0xffff_ffff, "ping", patient());
    const abandoned = failureOf(pending.add(1, "ping", patient(abort.signal)));
    abort.abort();
    await abandoned;
    expect(pending.nextId()).toBe(2);
    pending.settle(pong(1), undefined);
    pending.settle(pong(0xffff_ffff), undefined);
    expect(await waiting).toEqual({ role: "id", nowMs: 0xffff_ffff });
    expect([pending.size, pending.abandoned]).toEqual([0, 0]);
  });
});

test("every call ends once and with its own answer, whatever the order of events", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("answer", "error", "abort", "late answer", "lost"), {
        minLength: 1,
        maxLength: 30,
      }),
      fc.infiniteStream(fc.nat()),
      async (fates, order) => {
        const pending = calls();
        const lost = new DsmError("UNREACHABLE", "lost");
        const failed = new DsmError("CONFLICT", "failed");
        const asked = fates.map((fate) => {
          const abort = new AbortController();
          const requestId = pending.nextId();
          const outcome = pending.add(requestId, "ping", patient(abort.signal)).then(
            (body) => (body as { nowMs: number }).nowMs,
            (thrown: unknown) => thrown,
          );
          return { fate, abort, requestId, outcome, rank: order.next().value ?? 0 };
        });
        for (const { fate, abort, requestId } of asked.toSorted((a, b) => a.rank - b.rank)) {
          if (fate === "answer") pending.settle(pong(requestId), undefined);
          if (fate === "error") pending.settle(pong(requestId), failed);
          if (fate === "abort" || fate === "late answer") abort.abort(fate);
          if (fate === "late answer") pending.settle(pong(requestId), undefined);
        }
        expect(pending.abandoned).toBe(fates.filter((fate) => fate === "abort").length);
        pending.failAll(() => lost);
        const ends = { answer: undefined, error: failed, lost, abort: "abort" };
        expect(await Promise.all(asked.map(({ outcome }) => outcome))).toEqual(
          asked.map(({ fate, requestId }) =>
            fate === "answer" ? requestId : { ...ends, "late answer": "late answer" }[fate],
          ),
        );
        expect([pending.size, pending.abandoned]).toEqual([0, 0]);
      },
    ),
  ));

test("an answer that nobody asked for, or of another message, is BAD_FRAME", async () => {
  const pending = calls();
  const lost = failureOf(pending.add(pending.nextId(), "ping", patient()));
  for (const frame of [pong(9), { ...pong(1), type: messages.lease.type }]) {
    expect(() => pending.settle(frame, undefined)).toThrow(
      expect.objectContaining({ code: "BAD_FRAME" }),
    );
  }
  pending.failAll(() => new DsmError("UNREACHABLE", "over"));
  expect(await lost).toMatchObject({ code: "UNREACHABLE" });
});

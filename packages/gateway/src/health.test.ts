import { expect, test } from "bun:test";
import { DsmError, limits, type TrackerStatus } from "@dsm/protocol";
import { Readiness } from "./health.ts";

const graceMs = limits.readinessGraceMs;
const ready = { ready: true };

function statusOf(...members: { online: boolean; draining: boolean }[]): TrackerStatus {
  const groups = members.length === 0 ? [] : [{ group: "g1", members: members as never }];
  return { startedAtMs: 1, softwareVersion: "1", groups };
}
const live = async () => statusOf({ online: true, draining: false });
const none = async () => statusOf({ online: false, draining: false });
const lost = async () => {
  throw new DsmError("UNREACHABLE", "no tracker answered status");
};

/** A gateway at some time, whose trackers answer like this. */
class Scene {
  nowMs = 1_000_000;
  status: () => Promise<TrackerStatus> = live;
  readonly readiness = new Readiness({ status: () => this.status() }, () => this.nowMs);

  look(status: () => Promise<TrackerStatus>) {
    this.status = status;
    return this.readiness.look();
  }
}

test("a gateway that was never ready says at once why it is not", async () => {
  const scene = new Scene();
  expect(await scene.look(none)).toEqual({ ready: false, reason: "no storage is live" });
  expect(await scene.look(lost)).toMatchObject({
    ready: false,
    reason: expect.stringContaining("no tracker answered"),
  });
  expect(await scene.look(live)).toEqual(ready);
});

test("what is missed for a moment does not matter, and what stays away does", async () => {
  const scene = new Scene();
  expect(await scene.look(live)).toEqual(ready);
  scene.nowMs += graceMs - 1;
  expect(await scene.look(none)).toEqual(ready);
  expect(await scene.look(lost)).toEqual(ready);
  // It said so out of grace, which makes the grace no longer.
  scene.nowMs += 1;
  expect(await scene.look(lost)).toMatchObject({ ready: false });
  expect(await scene.look(live)).toEqual(ready);
});

test("an answer that does not come is not waited for, within that moment", async () => {
  const scene = new Scene();
  const never = () => Promise.withResolvers<TrackerStatus>().promise;
  expect(await scene.look(live)).toEqual(ready);
  const startMs = performance.now();
  expect(await scene.look(never)).toEqual(ready);
  expect(performance.now() - startMs).toBeGreaterThan(limits.readinessAnswerMs - 10);
});

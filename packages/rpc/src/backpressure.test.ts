import { expect, test } from "bun:test";
import { type Frame, limits, type TrackerStatus } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import { RawPeer, requestBytes } from "./testing/raw-peer.ts";
import { clientOf, idServer } from "./testing/servers.ts";

const bigStatus: TrackerStatus = {
  startedAtMs: 1,
  softwareVersion: "x".repeat(256 * 1024),
  groups: [],
};

function requests(count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => requestBytes("status", i + 1, {})));
}

async function take(peer: RawPeer, count: number): Promise<Frame[]> {
  return until(`${count} answers`, () => (peer.frames.length === count ? peer.frames : undefined));
}

test("a slow reader is not read from, and gets every answer once it reads", async () => {
  let asked = 0;
  const status = () => {
    asked++;
    return bigStatus;
  };
  await using server = idServer({ role: "tracker", handlers: { status } });
  await using slow = await RawPeer.proved(server.endpoint, "client");
  slow.pause();
  const total = 200;
  await slow.write(requests(total));
  await until("the server is full", () => asked > 0);
  // Another asker's answers prove that the server had its turn again and again meanwhile.
  using other = clientOf(server.endpoint, { role: "client" });
  for (let i = 0; i < 20; i++) {
    await other.call("status", {});
  }
  // The kernel's buffers on both sides hold some MiB, the outbox one; 200 answers are 50 MiB.
  const askedBySlow = asked - 20;
  expect(askedBySlow).toBeLessThan(100);
  slow.resume();
  const answers = await take(slow, total);
  expect(answers.map(({ requestId }) => requestId)).toEqual(
    Array.from({ length: total }, (_, i) => i + 1),
  );
});

test("no more requests of one connection run at the same time than the limit says", async () => {
  const gate = Promise.withResolvers<void>();
  let running = 0;
  let mostRunning = 0;
  const status = async () => {
    mostRunning = Math.max(mostRunning, ++running);
    await gate.promise;
    running--;
    return { ...bigStatus, softwareVersion: "0" };
  };
  await using server = idServer({ role: "tracker", handlers: { status } });
  await using peer = await RawPeer.proved(server.endpoint, "client");
  const total = 3 * limits.inFlightPerConnectionMax + 5;
  await peer.write(requests(total));
  await until("the limit is reached", () => running === limits.inFlightPerConnectionMax);
  gate.resolve();
  const answers = await take(peer, total);
  expect(new Set(answers.map(({ requestId }) => requestId)).size).toBe(total);
  expect(mostRunning).toBe(limits.inFlightPerConnectionMax);
});

test("a client refuses calls past its bound and answers those within", async () => {
  const gate = Promise.withResolvers<void>();
  await using server = idServer({
    handlers: {
      ping: async () => {
        await gate.promise;
        return { role: "id", nowMs: 1 };
      },
    },
  });
  using client = clientOf(server.endpoint);
  const first = client.call("ping", {});
  await until("it is connected", () => server.connections > 0);
  const calls = Array.from({ length: limits.pendingCallsMax + 10 }, () => client.call("ping", {}));
  gate.resolve();
  const settled = await Promise.allSettled([first, ...calls]);
  const codes = settled.map((result) =>
    result.status === "fulfilled" ? "answered" : (result.reason as { code: string }).code,
  );
  expect(
    Map.groupBy(codes, (code) => code)
      .keys()
      .toArray()
      .toSorted(),
  ).toEqual(["OVERLOADED", "answered"]);
  expect(codes.filter((code) => code === "answered").length).toBe(limits.pendingCallsMax);
});

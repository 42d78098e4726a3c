import { afterEach, describe, expect, test } from "bun:test";
import { type HttpServer, serveHttp } from "@dsm/delivery";
import { clusterSecret, DsmError, limits, signMaintenance } from "@dsm/protocol";
import { jsonOf, until } from "@dsm/testkit";
import { Maintenance } from "./maintenance-app.ts";
import type { MaintenanceLines } from "./maintenance-stream.ts";

const secret = clusterSecret("7".repeat(64));
let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

type Work = (params: unknown, signal: AbortSignal) => MaintenanceLines;

async function serve(fsck: Work, faults: DsmError[] = []) {
  const onFault = (error: DsmError) => void faults.push(error);
  const maintenance = new Maintenance({ group: "g1", secret, jobs: { fsck }, onFault });
  const server: HttpServer = stack.use(
    await serveHttp({
      engine: "sendfile",
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => maintenance.answer(request),
    }),
  );
  const right = signMaintenance(secret, "g1", Date.now() + 60_000);
  const ask = (init: RequestInit & { job?: string; right?: string } = {}) =>
    fetch(`${server.url}/maintenance/${init.job ?? "fsck"}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${init.right ?? right}` },
      ...init,
    });
  return { ask, maintenance };
}

const progress = (done: number) => ({
  progress: { doing: "counting", done, total: 0, unit: "records" } as const,
});

async function codeOf(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  return `${response.status} ${(await jsonOf(response)).code}`;
}

const linesOf = async (response: Response) =>
  (await response.text())
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

async function* nothing(): MaintenanceLines {
  yield { done: {} };
}

test("says why it refuses", async () => {
  const { ask } = await serve(nothing);
  const soon = Date.now() + 60_000;
  const other = signMaintenance(clusterSecret("8".repeat(64)), "g1", soon);
  expect(await codeOf(ask({ headers: {} }))).toBe("401 UNAUTHENTICATED");
  expect(await codeOf(ask({ headers: { Authorization: "Basic x" } }))).toBe("401 UNAUTHENTICATED");
  expect(await codeOf(ask({ right: other }))).toBe("403 FORBIDDEN");
  expect(await codeOf(ask({ right: signMaintenance(secret, "g2", soon) }))).toBe("403 FORBIDDEN");
  expect(await codeOf(ask({ right: signMaintenance(secret, "g1", 1) }))).toBe("403 FORBIDDEN");
  expect(await codeOf(ask({ job: "scrub" }))).toBe("404 UNKNOWN_ROUTE");
  expect(await codeOf(ask({ job: "fsck/x" }))).toBe("404 UNKNOWN_ROUTE");
  expect(await codeOf(ask({ body: "{" }))).toBe("400 BAD_REQUEST");
  const large = "x".repeat(limits.apiBodyMaxBytes + 1);
  expect(await codeOf(ask({ body: large }))).toBe("413 TOO_LARGE");
  expect(await linesOf(await ask())).toEqual([{ done: {} }]);
});

test("the work gets the parameters, and its lines come as they are made", async () => {
  const next = Promise.withResolvers<void>();
  const { ask } = await serve(async function* (params) {
    yield { finding: { params } };
    await next.promise;
    yield { done: { is: "over" } };
  });
  const response = await ask({ body: '{"repair":true}' });
  expect(response.headers.get("content-type")).toBe("application/x-ndjson");
  const reader = response.body!.getReader();
  const first = await reader.read();
  expect(new TextDecoder().decode(first.value)).toBe('{"finding":{"params":{"repair":true}}}\n');
  next.resolve();
  const second = await reader.read();
  expect(new TextDecoder().decode(second.value)).toBe('{"done":{"is":"over"}}\n');
  expect((await reader.read()).done).toBe(true);
});

describe("one job of a kind at a time", () => {
  test("until it is done, or whoever asked for it has left", async () => {
    let ended = 0;
    const { ask } = await serve(async function* (_, signal) {
      try {
        yield progress(1);
        // It has nothing to say from then on: only the signal can tell it.
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      } finally {
        ended++;
      }
    });
    for (const round of [1, 2]) {
      const controller = new AbortController();
      const response = await ask({ signal: controller.signal });
      await response.body!.getReader().read();
      expect(await codeOf(ask())).toBe("409 CONFLICT");
      controller.abort();
      await until("the work has ended", () => ended === round);
    }
  });

  test("also where it left before the first line was asked for", async () => {
    const { ask } = await serve(nothing);
    const controller = new AbortController();
    const asked = ask({ signal: controller.signal });
    controller.abort();
    await asked.catch(() => undefined);
    await until("another one may begin", async () => (await ask()).status === 200);
  });
});

test("a reader that takes nothing holds the work back", async () => {
  let made = 0;
  const text = "x".repeat(64 * 1024);
  const { ask } = await serve(async function* () {
    for (;;) {
      made++;
      yield { finding: { text } };
    }
  });
  const controller = new AbortController();
  await ask({ signal: controller.signal });
  let before = -1;
  await until("no more lines are made", async () => {
    const isStill = made === before;
    before = made;
    await Bun.sleep(200);
    return isStill;
  });
  // What fits into the buffers of both sockets, of 64 KiB each.
  expect(made).toBeLessThan(400);
  controller.abort();
});

describe("an error in the middle is the last line", () => {
  test("in full when it is one of operation, and without a word when it is not", async () => {
    const faults: DsmError[] = [];
    const known = new DsmError("STORAGE_FAILED", "the disk is gone", { remedy: "look for it" });
    for (const [thrown, told] of [
      [known, { code: "STORAGE_FAILED", message: "the disk is gone", remedy: "look for it" }],
      [new Error("secret"), { code: "INTERNAL", message: expect.not.stringContaining("secret") }],
    ] as const) {
      const { ask } = await serve(async function* () {
        yield progress(1);
        throw thrown;
      }, faults);
      expect(await linesOf(await ask())).toMatchObject([progress(1), { error: told }]);
      // And it is over.
      expect((await ask()).status).toBe(200);
    }
    expect(faults.length).toBeGreaterThanOrEqual(2);
  });

  test("the storage stops", async () => {
    const begun = Promise.withResolvers<void>();
    const { ask, maintenance } = await serve(async function* (_, signal) {
      yield progress(1);
      begun.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      signal.throwIfAborted();
    });
    const response = await ask();
    const lines = linesOf(response);
    await begun.promise;
    maintenance.stop();
    expect(await lines).toMatchObject([progress(1), { error: { code: "DRAINING" } }]);
  });
});

test("work without news says its last word again, so that nobody takes it for dead", async () => {
  const end = Promise.withResolvers<void>();
  const { ask } = await serve(async function* () {
    yield progress(7);
    await end.promise;
    yield { done: {} };
  });
  const reader = (await ask()).body!.getReader();
  const decoder = new TextDecoder();
  const first = decoder.decode((await reader.read()).value);
  expect(decoder.decode((await reader.read()).value)).toBe(first);
  end.resolve();
  expect(decoder.decode((await reader.read()).value)).toBe('{"done":{}}\n');
});

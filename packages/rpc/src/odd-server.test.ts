import { describe, expect, test } from "bun:test";
import { encodeFrame, type Frame } from "@dsm/protocol";
import fc from "fast-check";
import { clientOf, failureOf } from "./testing/servers.ts";
import { oddServer } from "./testing/odd-server.ts";

const pong = ({ requestId, type }: Frame, change: Partial<Frame> = {}): Buffer =>
  encodeFrame({ kind: "response", type, requestId, body: { role: "id", nowMs: 1 }, ...change });

const nonsense: [string, (request: Frame) => Uint8Array][] = [
  ["an answer to a request that was never made", (request) => pong(request, { requestId: 77 })],
  ["an answer of another type", (request) => pong(request, { type: 48 })],
  ["the same answer twice", (request) => Buffer.concat([pong(request), pong(request)])],
  ["a request", (request) => pong(request, { kind: "request" })],
  ["another welcome", (request) => pong(request, { kind: "welcome", type: 0, requestId: 0 })],
  ["text", () => Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
];

describe("a server that answers with nonsense fails all calls of the connection", () => {
  test.each(nonsense)("%s", async (_what, nonsenseTo) => {
    let requests = 0;
    using server = oddServer((request) =>
      // The first call gets no answer, so that it hangs when the second one meets the nonsense.
      ++requests === 1 ? Buffer.alloc(0) : nonsenseTo(request),
    );
    using client = clientOf(server.endpoint);
    const hanging = failureOf(client.call("lease", { count: 1 }));
    // Whether this call is answered before the nonsense behind it is seen does not matter.
    await client.call("ping", {}).catch(() => undefined);
    expect(await hanging).toMatchObject({
      code: "BAD_FRAME",
      message: expect.stringContaining(`the connection to ${server.endpoint} failed: `),
    });
    expect(server.accepted).toBe(1);
  });

  test("and the next call is made over a new connection", async () => {
    let requests = 0;
    using server = oddServer((request) =>
      ++requests === 1 ? Buffer.from("no frame at all, this") : pong(request),
    );
    using client = clientOf(server.endpoint);
    await failureOf(client.call("ping", {}));
    expect(await client.call("ping", {})).toEqual({ role: "id", nowMs: 1 });
    expect(server.accepted).toBe(2);
  });

  test("whatever the bytes are, the call fails and nothing else is thrown", () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 16, maxLength: 200 }), async (bytes) => {
        using server = oddServer(() => bytes);
        using client = clientOf(server.endpoint);
        expect(await failureOf(client.call("ping", {}))).toMatchObject({
          code: expect.stringMatching(/^(?:BAD_FRAME|FRAME_TOO_LARGE|UNSUPPORTED_VERSION)$/),
        });
      }),
      { numRuns: 30 },
    ));
});

test("an error frame of no request ends the connection with that error", async () => {
  const body = { code: "OVERLOADED", message: "too much", remedy: "go" };
  using server = oddServer(() => encodeFrame({ kind: "error", type: 0, requestId: 0, body }));
  using client = clientOf(server.endpoint);
  expect(await failureOf(client.call("ping", {}))).toMatchObject({
    code: "OVERLOADED",
    message: `the connection to ${server.endpoint} failed: too much`,
    remedy: "go",
  });
});

test("an error of a newer server's code is INTERNAL and keeps its words", async () => {
  const body = { code: "FROM_THE_FUTURE", message: "the flux capacitor is empty" };
  using server = oddServer(({ type, requestId }) =>
    encodeFrame({ kind: "error", type, requestId, body }),
  );
  using client = clientOf(server.endpoint);
  expect(await failureOf(client.call("ping", {}))).toMatchObject({
    code: "INTERNAL",
    message: "the flux capacitor is empty",
  });
});

test("a server that hangs up is UNREACHABLE", async () => {
  using server = oddServer(() => "hang up");
  using client = clientOf(server.endpoint);
  expect(await failureOf(client.call("ping", {}))).toMatchObject({
    code: "UNREACHABLE",
    message: `${server.endpoint} closed the connection before it answered ping`,
  });
});

test("an HTTP server is no dsm server", async () => {
  await using http = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") });
  using client = clientOf(`127.0.0.1:${http.port}`);
  const { code } = (await failureOf(client.call("ping", {}))) as { code: string };
  expect(["BAD_FRAME", "UNREACHABLE"]).toContain(code);
});

import { expect, test } from "bun:test";
import { encodeFrame, messageNameOf } from "@dsm/protocol";
import fc from "fast-check";
import { RawPeer, requestBytes } from "./testing/raw-peer.ts";
import { idServer } from "./testing/servers.ts";

const newerTypes = fc
  .integer({ min: 1, max: 0xffff })
  .filter((type) => messageNameOf(type) === undefined);

test("messages that only a newer peer knows are refused one by one, the others answered", async () => {
  await using server = idServer();
  await using peer = await RawPeer.proved(server.endpoint);
  let requestId = 0;
  await fc.assert(
    fc.asyncProperty(newerTypes, fc.jsonValue({ maxDepth: 2 }), async (type, body) => {
      requestId += 2;
      const unknown = encodeFrame({ kind: "request", type, requestId: requestId - 1, body });
      await peer.write(Buffer.concat([unknown, requestBytes("ping", requestId, { newer: body })]));
      const answers = [await peer.nextFrame("refusal"), await peer.nextFrame("answer")];
      expect(answers).toMatchObject([
        {
          kind: "error",
          type,
          requestId: requestId - 1,
          body: { code: "UNKNOWN_MESSAGE", message: expect.stringContaining(`${type}`) },
        },
        { kind: "response", requestId, body: { role: "id" } },
      ]);
    }),
    { numRuns: 50 },
  );
  expect(server.faults).toEqual([]);
});

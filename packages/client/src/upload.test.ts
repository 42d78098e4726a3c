import { expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { DsmError } from "@dsm/protocol";
import { StorageRests } from "./storage-rests.ts";
import { realSurroundings } from "./surroundings.ts";
import { upload } from "./upload.ts";
import { bytesSource } from "./upload-source.ts";

const problem = '{"code":"PRECONDITION_FAILED","detail":"it is another version"}';
const refusal =
  "HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/problem+json\r\n" +
  `Content-Length: ${problem.length}\r\n\r\n${problem}`;

test("a refusal after a lost answer stays one when the file is gone meanwhile", async () => {
  let tries = 0;
  const server = createServer((socket: Socket) => {
    socket.on("error", () => {});
    let request = "";
    socket.on("data", (data) => {
      request += data.toString("latin1");
      if (!request.includes("content")) return;
      // The first try is taken in whole, and its answer is lost.
      if (++tries === 1) socket.destroy();
      else socket.end(refusal);
    });
  });
  const { promise: listens, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await listens;
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const storage = { storageId: "s1", dataUrl: url, publicUrl: url };
  const ports = {
    rests: new StorageRests(() => performance.now()),
    surroundings: realSurroundings,
    locateForWrite: async () => ({
      group: "g1",
      storages: [storage],
      capability: "c",
      expiresAtMs: Date.now() + 60_000,
    }),
    stat: () => Promise.reject(new DsmError("FILE_NOT_FOUND", "it was deleted")),
  };
  const source = bytesSource(new TextEncoder().encode("content"));
  const request = { user: "ann", fileId: "f", source, ifMatch: '"x"' };
  const failure = await upload(ports, request).catch((error: unknown) => error);
  server.close();
  expect([(failure as DsmError).code, tries]).toEqual(["PRECONDITION_FAILED", 2]);
});

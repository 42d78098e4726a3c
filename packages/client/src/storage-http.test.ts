import { expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { DsmError } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import { answerOf, askStorage } from "./storage-http.ts";

/** A storage that answers as the test says, by the number of the request. */
async function rawStorage(answer: (socket: Socket, number: number) => void) {
  const methods: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      methods.push(data.toString("latin1").split(" ", 1)[0] ?? "");
      answer(socket, methods.length);
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const { port } = server.address() as { port: number };
  const url = `http://127.0.0.1:${port}`;
  const address = { storageId: "s1", dataUrl: url, publicUrl: url };
  return { address, methods, [Symbol.asyncDispose]: async () => void server.close() };
}

const nonsense = "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello";
const fetchOf = (url: URL, init: RequestInit) => fetch(url, init);

test("an answer that is cut before its reason is no answer", async () => {
  await using storage = await rawStorage((socket) => {
    socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 200\r\n\r\n{"code":');
    setTimeout(() => socket.destroy(), 20);
  });
  const failure = await askStorage(fetchOf, storage.address, "/media/u/f", {}).catch(
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(DsmError);
  expect((failure as DsmError).code).toBe("UNREACHABLE");
});

test("a request that must not be sent twice is not, when a kept connection breaks", async () => {
  await using storage = await rawStorage((socket, number) => {
    if (number === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    else socket.destroy();
  });
  await (await askStorage(fetchOf, storage.address, "/", {})).text();
  const init = { method: "DELETE", keepalive: false };
  const failure = await askStorage(fetchOf, storage.address, "/", init).catch(
    (error: unknown) => error,
  );
  await until("it was asked", () => storage.methods.length > 1);
  expect([(failure as DsmError).code, storage.methods]).toEqual(["UNREACHABLE", ["GET", "DELETE"]]);
});

test("an answer that is cut after its status is no answer either", async () => {
  const answers = ["HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\n{", nonsense];
  await using storage = await rawStorage((socket, number) => {
    socket.write(answers[number - 1] ?? "");
    setTimeout(() => socket.destroy(), 20);
  });
  const schema = { parse: (value: unknown) => value };
  const codes = [];
  for (const _answer of answers) {
    const response = await askStorage(fetchOf, storage.address, "/", { method: "PUT" });
    const failure = await answerOf(storage.address, response, schema).catch(
      (error: unknown) => error,
    );
    codes.push((failure as DsmError).code);
  }
  expect(codes).toEqual(["UNREACHABLE", "STORAGE_FAILED"]);
});

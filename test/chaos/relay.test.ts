import { expect, test } from "bun:test";
import { until } from "@dsm/testkit";
import { Relay } from "./relay.ts";

const content = Buffer.alloc(3_000_000, "0123456789");

function server() {
  return Bun.serve({
    port: 0,
    fetch: async (request) => {
      if (request.method === "PUT")
        return new Response(Bun.SHA256.hash(await request.bytes(), "hex"));
      return new Response(content);
    },
  });
}

async function bench() {
  const stack = new AsyncDisposableStack();
  const target = stack.adopt(server(), (it) => it.stop(true));
  const relay = stack.use(await Relay.start());
  relay.targetPort = target.port ?? 0;
  const get = () => fetch(`http://${relay.endpoint}/`, { headers: { Connection: "close" } });
  return { relay, get, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("in fair weather everything passes, in both directions", async () => {
  await using it = await bench();
  expect(Buffer.compare(await (await it.get()).bytes(), content)).toBe(0);
  const put = await fetch(`http://${it.relay.endpoint}/`, { method: "PUT", body: content });
  expect(await put.text()).toBe(Bun.SHA256.hash(content, "hex"));
});

test("with a delay everything passes, later", async () => {
  await using it = await bench();
  it.relay.weather = { delayMs: 5 };
  expect(Buffer.compare(await (await it.get()).bytes(), content)).toBe(0);
});

test("a stalled connection goes on where it stopped", async () => {
  await using it = await bench();
  it.relay.weather = { stalls: true };
  let isDone = false;
  const got = it
    .get()
    .then((response) => response.bytes())
    .finally(() => (isDone = true));
  await Bun.sleep(50);
  expect(isDone).toBe(false);
  it.relay.clear();
  expect(Buffer.compare(await got, content)).toBe(0);
});

test("answers alone can be held back: the request was done, and nobody is told", async () => {
  const done: string[] = [];
  await using target = Bun.serve({
    port: 0,
    fetch: (request) => {
      done.push(request.method);
      return new Response("done");
    },
  });
  await using relay = await Relay.start();
  relay.targetPort = target.port ?? 0;
  relay.weather = { loseAnswersTo: /^DELETE/ };
  expect(await (await fetch(`http://${relay.endpoint}/`, { keepalive: false })).text()).toBe(
    "done",
  );
  const init = { method: "DELETE", keepalive: false, signal: AbortSignal.timeout(300) };
  const failure = await fetch(`http://${relay.endpoint}/`, init).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DOMException);
  expect(done).toEqual(["GET", "DELETE"]);
});

test("connections are refused, cut in the middle, and cut all at once", async () => {
  await using it = await bench();
  it.relay.weather = { refuses: true };
  await expect(it.get()).rejects.toThrow();
  it.relay.weather = { cutsAfterBytes: () => 100_000 };
  await expect(it.get().then((response) => response.bytes())).rejects.toThrow();
  it.relay.weather = { stalls: true };
  let failure: unknown;
  void it.get().catch((error: unknown) => (failure = error));
  // A request that was not sent yet is sent again on another connection, which is cut as well.
  await until("it is cut", () => it.relay.cutAll() > 0 || failure !== undefined);
  await until("it has failed", () => {
    it.relay.cutAll();
    return failure;
  });
  it.relay.clear();
  expect((await (await it.get()).bytes()).length).toBe(content.length);
});

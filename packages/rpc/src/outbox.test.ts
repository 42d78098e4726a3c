import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Outbox } from "./outbox.ts";

/** A socket with as much room as the test gives it. */
class Socket {
  roomBytes = Number.POSITIVE_INFINITY;
  closed = false;
  shutdowns = 0;
  readonly writes: Buffer[] = [];

  write(bytes: Uint8Array): number {
    if (this.closed || this.shutdowns > 0) return -1;
    const took = Math.min(bytes.length, this.roomBytes);
    this.roomBytes -= took;
    if (took > 0) this.writes.push(Buffer.from(bytes.subarray(0, took)));
    return took;
  }

  shutdown(): void {
    this.shutdowns++;
  }

  get text(): string {
    return Buffer.concat(this.writes).toString();
  }
}

const never = () => {
  throw new Error("the peer did not stall");
};
const microtasks = () => new Promise((next) => setImmediate(next));

describe("the outbox", () => {
  test("sends what comes in one tick in one write", async () => {
    const socket = new Socket();
    const outbox = new Outbox(socket, never);
    for (const text of ["a", "b", "c"]) outbox.send(Buffer.from(text));
    expect([outbox.queuedBytes, socket.writes.length]).toEqual([3, 0]);
    await microtasks();
    expect([outbox.queuedBytes, socket.writes.map(String)]).toEqual([0, ["abc"]]);
  });

  test("finishes with FIN behind the last byte, once, and sends nothing more", async () => {
    const socket = new Socket();
    socket.roomBytes = 2;
    let finished = 0;
    const outbox = new Outbox(socket, never);
    outbox.send(Buffer.from("abcd"));
    outbox.finish(() => finished++);
    outbox.finish(() => finished++);
    outbox.send(Buffer.from("never"));
    await microtasks();
    expect([socket.text, socket.shutdowns, finished]).toEqual(["ab", 0, 0]);
    socket.roomBytes = 9;
    outbox.drained();
    outbox.drained();
    expect([socket.text, socket.shutdowns, finished]).toEqual(["abcd", 1, 1]);
  });

  test("forgets everything when the socket is gone", async () => {
    const socket = new Socket();
    socket.closed = true;
    const outbox = new Outbox(socket, never);
    outbox.send(Buffer.from("abc"));
    await microtasks();
    outbox.send(Buffer.from("def"));
    expect(outbox.queuedBytes).toBe(0);
  });

  test("tells of a peer that takes nothing", async () => {
    const socket = new Socket();
    socket.roomBytes = 0;
    const { promise: stalled, resolve } = Promise.withResolvers<void>();
    const outbox = new Outbox(socket, resolve, 15);
    outbox.send(Buffer.from("abc"));
    await stalled;
    expect(outbox.queuedBytes).toBe(3);
  });

  test("keeps every byte in its place, whatever room there is", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.string({ minLength: 1 }).map((send) => ({ send })),
            fc.nat(12).map((roomBytes) => ({ roomBytes })),
            fc.constant("tick" as const),
          ),
        ),
        async (events) => {
          const socket = new Socket();
          const outbox = new Outbox(socket, never);
          socket.roomBytes = 0;
          let sent = "";
          for (const event of events) {
            if (event === "tick") await microtasks();
            else if ("send" in event) {
              sent += event.send;
              outbox.send(Buffer.from(event.send));
            } else {
              socket.roomBytes = event.roomBytes;
              outbox.drained();
            }
            expect(Buffer.byteLength(sent)).toBe(
              outbox.queuedBytes + socket.writes.reduce((sum, { length }) => sum + length, 0),
            );
          }
          socket.roomBytes = Number.POSITIVE_INFINITY;
          outbox.drained();
          expect(socket.text).toBe(Buffer.from(sent).toString());
        },
      ),
    ));
});

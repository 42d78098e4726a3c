import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DsmError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { AskerHandshake, errorOf, ServerHandshake, type Session } from "./handshake.ts";
import { type Role, roles } from "./messages.ts";
import { clusterSecret } from "./secret.ts";

const secret = clusterSecret("0123456789abcdef0123456789abcdef");
type Change = (frame: Frame) => Frame;

interface Talk {
  readonly askerSecret?: string;
  readonly serverSecret?: string;
  readonly askerRole?: Role;
  readonly serverRole?: Role;
  /** What becomes of each frame on its way. */
  readonly wire?: Partial<Record<Frame["kind"], Change>>;
}

const same: Change = (frame) => frame;
const defaultSecret = "0123456789abcdef0123456789abcdef";

/** Both sides of a handshake; throws what the side that gives up throws. */
function handshake(talk: Talk = {}): { asker: Session; server: Session } {
  const { askerSecret = defaultSecret, serverSecret = defaultSecret } = talk;
  const { askerRole = "client", serverRole = "tracker", wire = {} } = talk;
  const sent = (frame: Frame | undefined): Frame => {
    if (frame === undefined) throw new Error("nothing was sent");
    return (wire[frame.kind] ?? same)(frame);
  };
  const asker = new AskerHandshake({
    secret: clusterSecret(askerSecret),
    role: askerRole,
    nonce: "a".repeat(22),
  });
  const server = new ServerHandshake({
    secret: clusterSecret(serverSecret),
    role: serverRole,
    nonce: "s".repeat(22),
  });
  const challenge = sent(server.receive(sent(asker.open())).send);
  const proof = sent(asker.receive(challenge).send);
  const end = server.receive(proof);
  const session = asker.receive(sent(end.send)).session;
  if (session === undefined || end.session === undefined) throw new Error("no session");
  return { asker: session, server: end.session };
}

describe("a handshake", () => {
  test("of equal secrets succeeds, and both sides agree on roles, version and features", () =>
    fc.assert(
      fc.property(
        fc.string({ minLength: 32, maxLength: 80 }),
        fc.constantFrom(...roles),
        fc.constantFrom(...roles),
        (both, askerRole, serverRole) => {
          const sessions = handshake({
            askerSecret: both,
            serverSecret: both,
            askerRole,
            serverRole,
          });
          const terms = { version: 1, features: new Set<string>() };
          expect(sessions).toEqual({
            asker: { ...terms, peerRole: serverRole },
            server: { ...terms, peerRole: askerRole },
          });
        },
      ),
    ));

  test("of different secrets fails at the asker, before it has proved anything", () =>
    fc.assert(
      fc.property(
        fc.string({ minLength: 32, maxLength: 80 }),
        fc.string({ minLength: 32, maxLength: 80 }),
        (askerSecret, serverSecret) => {
          fc.pre(askerSecret !== serverSecret);
          expect(() => handshake({ askerSecret, serverSecret })).toThrow(
            expect.objectContaining({
              code: "FORBIDDEN",
              message: "the server does not hold this cluster's secret",
            }),
          );
        },
      ),
    ));

  test("needs the asker's proof too", () => {
    const proof = clusterSecret("another secret of 32 characters!!").prove("asker proof", []);
    const wire = { proof: (frame: Frame): Frame => ({ ...frame, body: { proof } }) };
    expect(() => handshake({ wire })).toThrow(
      expect.objectContaining({
        code: "FORBIDDEN",
        message: "the other side does not hold this cluster's secret",
      }),
    );
  });

  test("agrees on the features that both name", () => {
    const server = new ServerHandshake({ secret, role: "id", nonce: "s".repeat(22) });
    const hello = {
      versions: { min: 1, max: 5 },
      features: ["from the future"],
      role: "storage",
      nonce: "a".repeat(22),
    };
    const { send } = server.receive({ kind: "hello", type: 0, requestId: 0, body: hello });
    expect(send?.body).toMatchObject({ version: 1, features: [], role: "id" });
  });
});

const kinds = ["hello", "challenge", "proof"] as const;

/** The places of all values in a body, as paths. */
function pathsOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [path];
  const below = Object.entries(value).flatMap(([key, v]) => pathsOf(v, [...path, key]));
  return Array.isArray(value) ? [path, ...below] : below;
}

function changedAt(
  value: unknown,
  path: readonly string[],
  change: (v: unknown) => unknown,
): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return change(value);
  const copy: Record<string, unknown> = { ...(value as Record<string, unknown>) };
  copy[key] = changedAt(copy[key], rest, change);
  return copy;
}

describe("tampering with a handshake on its way makes it fail", () => {
  const bodies = new Map<string, Frame>();
  const record: Change = (frame) => {
    bodies.set(frame.kind, frame);
    return frame;
  };
  handshake({ wire: { hello: record, challenge: record, proof: record } });
  const places = kinds.flatMap((kind) =>
    pathsOf(bodies.get(kind)?.body).map((path) => ({ kind, path })),
  );

  test("all fields are covered", () => {
    expect(places.map(({ kind, path }) => `${kind}.${path.join(".")}`)).toEqual([
      "hello.versions.min",
      "hello.versions.max",
      "hello.features",
      "hello.role",
      "hello.nonce",
      "challenge.version",
      "challenge.features",
      "challenge.role",
      "challenge.nonce",
      "challenge.proof",
      "proof.proof",
    ]);
  });

  test("any value put in the place of any field", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.oneof(
          fc.jsonValue(),
          fc.constantFrom<unknown>(...roles, 0, 1, 2, "b".repeat(22), ["x"], []),
        ),
        ({ kind, path }, put) => {
          const original = bodies.get(kind)?.body;
          const body = changedAt(original, path, () => put);
          fc.pre(JSON.stringify(body) !== JSON.stringify(original));
          const change: Change = (frame) => ({ ...frame, body });
          expect(() => handshake({ wire: { [kind]: change } })).toThrow(DsmError);
        },
      ),
      { numRuns: 600 },
    ));

  test("every single bit of every text", () => {
    for (const { kind, path } of places) {
      const original = path.reduce<unknown>(
        (value, key) => (value as Record<string, unknown>)[key],
        bodies.get(kind)?.body,
      );
      if (typeof original !== "string") continue;
      for (let bit = 0; bit < original.length * 7; bit++) {
        const at = Math.floor(bit / 7);
        const flipped = String.fromCharCode(original.charCodeAt(at) ^ (1 << (bit % 7)));
        const put = original.slice(0, at) + flipped + original.slice(at + 1);
        const change: Change = (frame) => ({
          ...frame,
          body: changedAt(frame.body, path, () => put),
        });
        expect(() => handshake({ wire: { [kind]: change } })).toThrow(DsmError);
      }
    }
  });

  test.each(["hello", "challenge", "proof", "welcome"] as const)(
    "another kind, type or request id of the %s frame",
    (kind) => {
      const changes: Change[] = [
        (frame) => ({ ...frame, kind: "request" }),
        (frame) => ({ ...frame, kind: "response" }),
        (frame) => ({ ...frame, type: 1 }),
        (frame) => ({ ...frame, requestId: 1 }),
      ];
      for (const change of changes) {
        expect(() => handshake({ wire: { [kind]: change } })).toThrow(
          expect.objectContaining({ code: "BAD_FRAME" }),
        );
      }
    },
  );

  test("a server that does hold the secret cannot choose a version that was not offered", () => {
    const asker = new AskerHandshake({ secret, role: "client", nonce: "a".repeat(22) });
    const { body } = asker.open();
    const hello = body as { versions: { min: number; max: number }; nonce: string };
    const terms = { version: 2, features: [], role: "tracker", nonce: "s".repeat(22) };
    const proof = secret.prove("server proof", [
      JSON.stringify([hello.versions.min, hello.versions.max, [], "client"]),
      hello.nonce,
      JSON.stringify([terms.version, terms.features, terms.role]),
      terms.nonce,
    ]);
    const challenge = { kind: "challenge", type: 0, requestId: 0, body: { ...terms, proof } };
    expect(() => asker.receive(challenge as Frame)).toThrow(
      expect.objectContaining({
        code: "UNSUPPORTED_VERSION",
        message: "the tracker server chose protocol version 2, and this side speaks version 1",
      }),
    );
  });
});

describe("versions", () => {
  test.each([
    [1, 1, 1],
    [0, 9, 1],
    [1, 2, 1],
  ])("%i to %i agree on %i", (min, max, version) => {
    const server = new ServerHandshake({ secret, role: "id", nonce: "s".repeat(22) });
    expect(server.receive(helloOf(min, max)).send?.body).toMatchObject({ version });
  });

  test.each([
    [2, 3],
    [-1, 0],
    [5, 1],
  ])("%i to %i are refused", (min, max) => {
    const server = new ServerHandshake({ secret, role: "id", nonce: "s".repeat(22) });
    expect(() => server.receive(helloOf(min, max))).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_VERSION" }),
    );
  });
});

function helloOf(min: number, max: number): Frame {
  const body = { versions: { min, max }, features: [], role: "storage", nonce: "a".repeat(22) };
  return { kind: "hello", type: 0, requestId: 0, body };
}

function errorFrame(body: unknown): Frame {
  return { kind: "error", type: 0, requestId: 0, body };
}

describe("the error that a frame carries", () => {
  test("keeps a known code, and an unknown one becomes INTERNAL with its words", () => {
    expect([
      errorOf(errorFrame({ code: "TIMEOUT", message: "late", remedy: "wait" })).toWire(),
      errorOf(errorFrame({ code: "toString", message: "odd" })).toWire(),
    ]).toEqual([
      { code: "TIMEOUT", message: "late", remedy: "wait" },
      { code: "INTERNAL", message: "odd" },
    ]);
  });

  test("is BAD_FRAME when it is none", () =>
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        expect(errorOf(errorFrame(body)).code).toBe("BAD_FRAME");
      }),
    ));
});

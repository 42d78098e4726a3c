import { z } from "zod";
import { DsmError, isErrorCode } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { type Role, roles } from "./messages.ts";
import { type ClusterSecret, sameProof } from "./secret.ts";

/**
 * How a connection opens. Both sides prove that they hold the cluster secret, and the secret
 * itself never travels:
 *
 *   asker  → hello     {versions, features, role, nonce}
 *   server → challenge {version, features, role, nonce, proof}   the server's proof
 *   asker  → proof     {proof}                                   the asker's proof
 *   server → welcome   {}
 *
 * Each proof is HMAC-SHA256 under the secret over everything that both hellos said, with a key
 * of its own per direction, so a proof cannot be reflected, replayed or moved to other terms.
 */
export const protocolVersions = { min: 1, max: 1 } as const;
/**
 * Optional abilities of this build; both sides use what both name. None exists yet. How the
 * protocol changes so that old and new versions talk stands in docs/PROTOCOL.md.
 */
export const protocolFeatures: readonly string[] = [];

const nonceSchema = z.string().regex(/^[A-Za-z0-9_-]{22,64}$/);
const featuresSchema = z.array(z.string().max(64)).max(64);

const helloSchema = z.object({
  versions: z.object({ min: z.number().int(), max: z.number().int() }),
  features: featuresSchema,
  role: z.enum(roles),
  nonce: nonceSchema,
});
const challengeSchema = z.object({
  version: z.number().int(),
  features: featuresSchema,
  role: z.enum(roles),
  nonce: nonceSchema,
  proof: z.string().max(64),
});
const proofSchema = z.object({ proof: z.string().max(64) });
const wireErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  remedy: z.string().optional(),
});

type Hello = z.infer<typeof helloSchema>;
type Challenge = z.infer<typeof challengeSchema>;

/** What the two sides agreed on. */
export interface Session {
  readonly version: number;
  /** Features that both sides named. */
  readonly features: ReadonlySet<string>;
  readonly peerRole: Role;
}

interface Step {
  /** The frame to send now. */
  readonly send?: Frame;
  /** Present when this side is done. */
  readonly session?: Session;
}

interface HandshakeOptions {
  readonly secret: ClusterSecret;
  readonly role: Role;
  /** 128 random bits or more in base64url; injected so that tests are repeatable. */
  readonly nonce: string;
}

/** The server's side, without a socket: give it each frame, send what it answers. */
export class ServerHandshake {
  readonly #options: HandshakeOptions;
  #expected: { proof: string; session: Session } | undefined;

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  /** @throws DsmError; the caller answers with it and closes the connection */
  receive(frame: Frame): Step {
    if (this.#expected === undefined) return this.#answerHello(frame);
    const { proof } = bodyOf(frame, "proof", proofSchema);
    if (!sameProof(proof, this.#expected.proof)) throw wrongSecret("the other side");
    return {
      send: handshakeFrame("welcome", {}),
      session: this.#expected.session,
    };
  }

  #answerHello(frame: Frame): Step {
    const { secret, role, nonce } = this.#options;
    const hello = bodyOf(frame, "hello", helloSchema);
    const version = Math.min(hello.versions.max, protocolVersions.max);
    if (version < hello.versions.min || version < protocolVersions.min) {
      const why = `this ${role} server speaks protocol ${shown(protocolVersions)}`;
      throw unsupported(`${why}, and the ${hello.role} that asks ${shown(hello.versions)}`);
    }
    const terms = { version, features: [...protocolFeatures], role, nonce };
    const said = transcript(hello, terms);
    const challenge: Challenge = {
      ...terms,
      proof: secret.prove("server proof", said),
    };
    this.#expected = {
      proof: secret.prove("asker proof", said),
      session: {
        version,
        features: common(hello, terms),
        peerRole: hello.role,
      },
    };
    return { send: handshakeFrame("challenge", challenge) };
  }
}

/** The asker's side, without a socket: send `open()`, then give it each frame. */
export class AskerHandshake {
  readonly #secret: ClusterSecret;
  readonly #hello: Hello;
  #session: Session | undefined;

  constructor(options: HandshakeOptions) {
    this.#secret = options.secret;
    this.#hello = {
      versions: { ...protocolVersions },
      features: [...protocolFeatures],
      role: options.role,
      nonce: options.nonce,
    };
  }

  open(): Frame {
    return handshakeFrame("hello", this.#hello);
  }

  /** @throws DsmError the server's refusal, or FORBIDDEN when the server has another secret */
  receive(frame: Frame): Step {
    if (frame.kind === "error") throw errorOf(frame);
    if (this.#session !== undefined) {
      bodyOf(frame, "welcome", z.object({}));
      return { session: this.#session };
    }
    const challenge = bodyOf(frame, "challenge", challengeSchema);
    const said = transcript(this.#hello, challenge);
    const { min, max } = this.#hello.versions;
    if (challenge.version < min || challenge.version > max) {
      const why = `the ${challenge.role} server chose protocol version ${challenge.version}`;
      throw unsupported(`${why}, and this side speaks ${shown(this.#hello.versions)}`);
    }
    if (!sameProof(challenge.proof, this.#secret.prove("server proof", said))) {
      throw wrongSecret("the server");
    }
    this.#session = {
      version: challenge.version,
      features: common(this.#hello, challenge),
      peerRole: challenge.role,
    };
    return {
      send: handshakeFrame("proof", {
        proof: this.#secret.prove("asker proof", said),
      }),
    };
  }
}

/**
 * The error that an error frame carries. A code that this side does not know, because the peer is
 * newer, becomes INTERNAL and keeps its words.
 */
export function errorOf(frame: Frame): DsmError {
  const parsed = wireErrorSchema.safeParse(frame.body);
  if (!parsed.success) return new DsmError("BAD_FRAME", "the peer sent a malformed error");
  const { code, message, remedy } = parsed.data;
  return new DsmError(isErrorCode(code) ? code : "INTERNAL", message, { remedy });
}

function transcript(hello: Hello, terms: Omit<Challenge, "proof">): string[] {
  const { version, features, role, nonce } = terms;
  return [
    JSON.stringify([hello.versions.min, hello.versions.max, hello.features, hello.role]),
    hello.nonce,
    JSON.stringify([version, features, role]),
    nonce,
  ];
}

function common(a: { features: string[] }, b: { features: string[] }): ReadonlySet<string> {
  return new Set(a.features).intersection(new Set(b.features));
}

function handshakeFrame(kind: Frame["kind"], body: unknown): Frame {
  return { kind, type: 0, requestId: 0, body };
}

function bodyOf<T>(frame: Frame, kind: Frame["kind"], schema: z.ZodType<T>): T {
  if (frame.kind !== kind) {
    throw new DsmError("BAD_FRAME", `expected a ${kind} frame and got ${frame.kind}`);
  }
  // The proofs do not cover the header, so it has only one form.
  if (frame.type !== 0 || frame.requestId !== 0) {
    throw new DsmError("BAD_FRAME", `the ${kind} frame has a type or a request id`);
  }
  const parsed = schema.safeParse(frame.body);
  if (parsed.success) return parsed.data;
  throw new DsmError("BAD_FRAME", `the ${kind} frame is malformed`, {
    cause: parsed.error,
  });
}

function shown({ min, max }: Hello["versions"]): string {
  return min === max ? `version ${min}` : `versions ${min} to ${max}`;
}

function unsupported(why: string): DsmError {
  const remedy = "bring the side with the older dsm up to date: see `dsm --version` on both";
  return new DsmError("UNSUPPORTED_VERSION", why, { remedy });
}

function wrongSecret(who: string): DsmError {
  return new DsmError("FORBIDDEN", `${who} does not hold this cluster's secret`, {
    remedy: "give every member and client the same secret (DSM_SECRET or --secret-file)",
  });
}

import { DsmError } from "./errors.ts";
import { limits } from "./limits.ts";

/**
 * The frame of the TCP plane, big-endian:
 *
 *   0  2  magic 0xd5 0x4d
 *   2  1  framing version, 1
 *   3  1  kind
 *   4  2  message type (0 in the handshake)
 *   6  2  reserved, 0
 *   8  4  request id, chosen by the asker and repeated in the answer
 *  12  4  length of the body in bytes
 *  16     body: JSON in UTF-8
 */
export const frameHeaderBytes = 16;
export const framingVersion = 1;
const magic = 0xd54d;

export const frameKinds = {
  hello: 1,
  challenge: 2,
  proof: 3,
  welcome: 4,
  request: 5,
  response: 6,
  error: 7,
} as const;

export type FrameKind = keyof typeof frameKinds;

const kindByNumber = new Map<number, FrameKind>(
  Object.entries(frameKinds).map(([kind, number]) => [number, kind as FrameKind]),
);

export interface Frame {
  readonly kind: FrameKind;
  readonly type: number;
  readonly requestId: number;
  readonly body: unknown;
}

/** @throws DsmError FRAME_TOO_LARGE when the body is over the limit */
export function encodeFrame(frame: Frame): Buffer {
  const json = JSON.stringify(frame.body);
  const bodyBytes = Buffer.byteLength(json);
  if (frameHeaderBytes + bodyBytes > limits.frameMaxBytes) throw tooLarge(bodyBytes);
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + bodyBytes);
  bytes.writeUInt16BE(magic, 0);
  bytes.writeUInt8(framingVersion, 2);
  bytes.writeUInt8(frameKinds[frame.kind], 3);
  bytes.writeUInt16BE(frame.type, 4);
  bytes.writeUInt16BE(0, 6);
  bytes.writeUInt32BE(frame.requestId, 8);
  bytes.writeUInt32BE(bodyBytes, 12);
  bytes.write(json, frameHeaderBytes);
  return bytes;
}

// RFC 8259, section 8.1: JSON between systems is UTF-8; broken UTF-8 is refused, not replaced.
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** A frame that comes in crumbs is joined now and then: a piece costs more than its byte. */
const chunksMax = 1_024;

/**
 * Bytes in, frames out. Knows no socket: feed it what arrived, in pieces of any size. After it
 * has thrown once the stream has no meaning any more and the connection must be closed.
 */
export class FrameDecoder {
  /** What arrived and is not yet out as a frame; joined only once a frame can be whole. */
  #chunks: Uint8Array[] = [];
  #pendingBytes = 0;
  /** No frame is whole before this many bytes are here. */
  #neededBytes = frameHeaderBytes;
  #maxBytes: number;

  constructor(maxBytes: number = limits.frameMaxBytes) {
    this.#maxBytes = maxBytes;
  }

  /** The peer has proved itself: it may send full frames now. */
  raiseLimit(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of frames that have not arrived whole or were not taken yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * The bytes are kept at once and without a copy, so the caller must not change them. The
   * frames come one by one, so that each is handled before the next one is looked at: the frame
   * that ends the handshake may raise the limit for those behind it. Frames that were not taken
   * stay, and come with the next push.
   * @throws DsmError BAD_FRAME, FRAME_TOO_LARGE or UNSUPPORTED_VERSION
   */
  push(chunk: Uint8Array): Generator<Frame> {
    if (chunk.length > 0) this.#chunks.push(chunk);
    if (this.#chunks.length >= chunksMax) this.#chunks = [joined(this.#chunks)];
    this.#pendingBytes += chunk.length;
    return this.#frames();
  }

  *#frames(): Generator<Frame> {
    if (this.#pendingBytes < this.#neededBytes) return;
    const bytes = joined(this.#chunks);
    let offset = 0;
    this.#neededBytes = frameHeaderBytes;
    try {
      while (bytes.length - offset >= frameHeaderBytes) {
        const { bodyBytes, ...header } = readHeader(bytes, offset, this.#maxBytes);
        const end = offset + frameHeaderBytes + bodyBytes;
        if (bytes.length < end) {
          this.#neededBytes = end - offset;
          break;
        }
        const body = parseBody(bytes.subarray(offset + frameHeaderBytes, end));
        offset = end;
        yield { ...header, body };
      }
    } finally {
      this.#keep(bytes, offset);
    }
  }

  #keep(bytes: Buffer, offset: number): void {
    const rest = bytes.subarray(offset);
    // A small rest is copied: as a view it would hold on to all that was read with it.
    const small = rest.length < bytes.length / 2;
    this.#chunks = rest.length === 0 ? [] : [small ? Buffer.from(rest) : rest];
    this.#pendingBytes = rest.length;
  }
}

function joined(chunks: readonly Uint8Array[]): Buffer {
  const [first] = chunks;
  if (first === undefined || chunks.length > 1) return Buffer.concat(chunks);
  return Buffer.from(first.buffer, first.byteOffset, first.byteLength);
}

function readHeader(bytes: Buffer, at: number, maxBytes: number) {
  if (bytes.readUInt16BE(at) !== magic) throw new DsmError("BAD_FRAME", "not a dsm frame");
  const version = bytes.readUInt8(at + 2);
  if (version !== framingVersion) {
    throw new DsmError("UNSUPPORTED_VERSION", `framing version ${version} is unknown`, {
      remedy: `this side speaks version ${framingVersion}`,
    });
  }
  const kindNumber = bytes.readUInt8(at + 3);
  const kind = kindByNumber.get(kindNumber);
  if (kind === undefined) throw new DsmError("BAD_FRAME", `frame kind ${kindNumber} is unknown`);
  if (bytes.readUInt16BE(at + 6) !== 0) {
    throw new DsmError("BAD_FRAME", "the reserved field is not 0");
  }
  const bodyBytes = bytes.readUInt32BE(at + 12);
  if (frameHeaderBytes + bodyBytes > maxBytes) throw tooLarge(bodyBytes);
  return {
    kind,
    type: bytes.readUInt16BE(at + 4),
    requestId: bytes.readUInt32BE(at + 8),
    bodyBytes,
  };
}

function parseBody(bytes: Buffer): unknown {
  try {
    return JSON.parse(strictUtf8.decode(bytes));
  } catch (cause) {
    throw new DsmError("BAD_FRAME", "the body of a frame is not JSON", {
      cause,
    });
  }
}

function tooLarge(bodyBytes: number): DsmError {
  return new DsmError("FRAME_TOO_LARGE", `a frame body of ${bodyBytes} bytes is over the limit`);
}

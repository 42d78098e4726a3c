import { DsmError, encodeFrame, type Role } from "@dsm/protocol";

// A query builder is a promise by its `then` alone; no answer has a field of that name.
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value;
}

/** The frame of an error; of one whose words fit in no frame, the frame that says so. */
export function errorBytes(error: DsmError, type: number, requestId: number): Buffer {
  const frame = { kind: "error", type, requestId } as const;
  try {
    return encodeFrame({ ...frame, body: error.toWire() });
  } catch (tooLarge) {
    return encodeFrame({ ...frame, body: DsmError.from(tooLarge, "telling the error").toWire() });
  }
}

export function draining(): DsmError {
  const remedy = "ask another server";
  return new DsmError("DRAINING", "this server is shutting down", { remedy });
}

/** What the asker learns of a fault of ours: nothing of the inside. */
export function internalError(role: Role): DsmError {
  return new DsmError("INTERNAL", `the ${role} server failed on this request`, {
    remedy: "the log of that server says why",
  });
}

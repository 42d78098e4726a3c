import { DsmError, systemErrorCode } from "@dsm/protocol";

const fullCodes = new Set(["ENOSPC", "EDQUOT"]);

/** What a failed system call on the group file system means for whoever asked. */
export function diskError(what: string, cause: unknown): DsmError {
  if (cause instanceof DsmError) return cause;
  const code = systemErrorCode(cause) ?? String(cause);
  if (fullCodes.has(code)) {
    return new DsmError("STORAGE_FULL", `${what}: the group file system is full (${code})`, {
      cause,
      remedy: "add space or delete files",
    });
  }
  return new DsmError("STORAGE_FAILED", `${what}: ${code}`, {
    cause,
    remedy: "look at the disk and the mount of the group file system",
  });
}

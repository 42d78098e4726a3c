import { evaluatePreconditions, validatorsOf } from "@dsm/delivery";
import { DsmError, type FileInfo } from "@dsm/protocol";

/**
 * Whether the conditions of a PUT or DELETE allow to change what is there now.
 * @throws DsmError FILE_EXISTS where `If-None-Match: *` finds a file, else PRECONDITION_FAILED
 */
export function assertWriteAllowed(
  request: { readonly method: string; readonly headers: Headers },
  current: FileInfo | undefined,
  fileId: string,
): void {
  const validators = current === undefined ? undefined : validatorsOf(current);
  if (evaluatePreconditions(request, validators) !== "failed") return;
  const shown = JSON.stringify(fileId);
  if (current !== undefined && request.headers.get("If-None-Match") === "*") {
    throw new DsmError("FILE_EXISTS", `${shown} exists already`, {
      remedy: "choose another file id, or replace it (dsm upload --overwrite)",
    });
  }
  throw new DsmError("PRECONDITION_FAILED", `${shown} is not the version that was asked for`, {
    remedy: "look at it again (dsm stat) before changing it",
  });
}

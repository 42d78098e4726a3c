import { assertWriteAllowed } from "@dsm/delivery";
import { DsmError, type FileInfo } from "@dsm/protocol";

interface WriteRequest {
  readonly headers: Headers;
  readonly signal: AbortSignal;
}

/**
 * What must hold of a file when it is changed: the conditions of the request, and that whoever
 * sent it still waits for the answer. A client that was cut off tries again at another storage.
 * When this try loses to that one, or to others who came later, it must not look again and win: it
 * would undo what was acknowledged since (design, section 6, invariants 1 and 4). It is asked
 * after each look at the catalog, so a client that was there then had no later answer.
 * @throws DsmError PRECONDITION_FAILED or FILE_EXISTS, UPLOAD_INCOMPLETE when the client left
 */
export function writeCheck(
  { headers, signal }: WriteRequest,
  name: { readonly user: string; readonly fileId: string },
): (current: FileInfo | undefined) => void {
  return (current) => {
    if (signal.aborted) {
      const what = `the client left before its change of ${name.user}/${name.fileId} was made`;
      throw new DsmError("UPLOAD_INCOMPLETE", what, { remedy: "send it again" });
    }
    assertWriteAllowed(headers, current, name);
  };
}

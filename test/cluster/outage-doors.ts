import { bytesSource, type DsmClient } from "@dsm/client";
import { DsmError, isErrorCode, mediaPath } from "@dsm/protocol";
import { collect } from "@dsm/testkit";

/** SHA-256 of the bytes, or null for no such file. */
export type Content = string | null;

/** One way to a cluster. Every method throws DsmError and nothing else. */
export interface Door {
  put(fileId: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  delete(fileId: string): Promise<void>;
  read(fileId: string): Promise<Content>;
}

export function sdkDoor(client: DsmClient, user: string): Door {
  return {
    async put(fileId, bytes) {
      await client.upload({ user, fileId, source: bytesSource(bytes), overwrite: true });
    },
    delete: (fileId) => client.delete({ user, fileId }),
    async read(fileId) {
      try {
        const { body } = await client.open({ user, fileId });
        return Bun.SHA256.hash(await collect(body), "hex");
      } catch (error) {
        if (error instanceof DsmError && error.code === "FILE_NOT_FOUND") return null;
        throw error;
      }
    },
  };
}

export function httpDoor(http: string, user: string): Door {
  const ask = async (fileId: string, init: RequestInit = {}): Promise<Response> => {
    const response = await fetch(`${http}${mediaPath(user, fileId)}`, init);
    if (response.ok) return response;
    const { code = "", detail = "" } = (await response.json()) as Record<string, string>;
    if (!isErrorCode(code)) throw new Error(`status ${response.status} with code ${code}`);
    const error = new DsmError(code, detail);
    // Programs go by the status and the header, and must come to the same end.
    const isLater = response.status === 503 && response.headers.has("Retry-After");
    const mayBeLater = isLater || response.status === 502 || response.status === 504;
    if (error.retryable && !mayBeLater) throw new Error(`${code} is not told as retryable`);
    throw error;
  };
  return {
    async put(fileId, bytes) {
      await ask(fileId, { method: "PUT", body: bytes });
    },
    async delete(fileId) {
      await ask(fileId, { method: "DELETE" });
    },
    async read(fileId) {
      try {
        return Bun.SHA256.hash(await (await ask(fileId)).bytes(), "hex");
      } catch (error) {
        if (error instanceof DsmError && error.code === "FILE_NOT_FOUND") return null;
        throw error;
      }
    },
  };
}

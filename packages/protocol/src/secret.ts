import { createHmac, timingSafeEqual } from "node:crypto";
import { DsmError } from "./errors.ts";
import { limits } from "./limits.ts";

/** A secret with what is derived from it. It never leaves the process. */
export interface Prover {
  /** HMAC-SHA256 over the parts, each preceded by its length, under a key made for `purpose`. */
  prove(purpose: string, parts: readonly string[]): string;
}

export type ClusterSecret = Prover;

/** @throws DsmError BAD_CONFIG for a secret of fewer than 32 characters */
export function clusterSecret(secret: string): ClusterSecret {
  if (secret.length < limits.secretMinChars) {
    throw new DsmError("BAD_CONFIG", `the cluster secret has ${secret.length} characters`, {
      remedy: `use at least ${limits.secretMinChars}, for example from: openssl rand -hex 32`,
    });
  }
  return proverWith(secret);
}

/** One key per purpose, so that a proof made for one thing never passes for another. */
export function proverWith(secret: string): Prover {
  const keys = new Map<string, Buffer>();
  const keyFor = (purpose: string) => {
    let key = keys.get(purpose);
    if (key === undefined) {
      key = createHmac("sha256", secret).update(`dsm ${purpose}`).digest();
      keys.set(purpose, key);
    }
    return key;
  };
  return {
    prove(purpose, parts) {
      const hmac = createHmac("sha256", keyFor(purpose));
      for (const part of parts) hmac.update(`${Buffer.byteLength(part)}:${part}`);
      return hmac.digest("base64url");
    },
  };
}

/** Compares two proofs in a time that does not depend on where they differ. */
export function sameProof(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

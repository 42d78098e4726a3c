import { type Certificate, makeCertificate } from "@dsm/testkit";
import type { TlsPair } from "../tls-files.ts";

/** A certificate that never changes. */
export function fixedPair(certificate: Certificate = makeCertificate()): TlsPair {
  return changingPair(certificate);
}

/** One that changes when it is told to. */
export function changingPair(first: Certificate) {
  const listeners = new Set<(pair: TlsPair["current"]) => void>();
  let current = first;
  return {
    get current() {
      return current;
    },
    get listeners() {
      return listeners.size;
    },
    onChange(listener: (pair: TlsPair["current"]) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    change(next: Certificate) {
      current = next;
      for (const listener of listeners) listener(next);
    },
  };
}

import { z } from "zod";
import { DsmError } from "./errors.ts";
import { type ClusterSecret, sameProof } from "./secret.ts";

/**
 * Work on a whole group that an operator starts and watches: `POST /maintenance/{job}` on a
 * storage's data port, with the parameters as JSON. The answer is NDJSON, a line for each of
 * these, and ends with `done` or `error`; an answer that ends otherwise was cut. The work stops
 * when the one who asked for it leaves.
 */
export const maintenanceJobs = ["fsck", "scrub", "root"] as const;
export type MaintenanceJob = (typeof maintenanceJobs)[number];

export const maintenanceLineSchema = z.union([
  z.object({
    progress: z.object({
      /** What is being done, for people. */
      doing: z.string(),
      done: z.number().nonnegative(),
      /** 0 as long as it is not known. */
      total: z.number().nonnegative(),
      unit: z.enum(["bytes", "blobs", "records"]),
    }),
  }),
  z.object({ finding: z.record(z.string(), z.unknown()) }),
  z.object({ done: z.record(z.string(), z.unknown()) }),
  z.object({
    error: z.object({ code: z.string(), message: z.string(), remedy: z.string().optional() }),
  }),
]);
export type MaintenanceLine = z.infer<typeof maintenanceLineSchema>;

const purpose = "maintenance v1";
const separator = ".";

/**
 * The right to maintain a group until a time: who holds the cluster secret makes one, and storages
 * check it. It stands in `Authorization: Bearer`, never in a URL.
 */
export function signMaintenance(secret: ClusterSecret, group: string, expiresAtMs: number): string {
  const expires = String(expiresAtMs);
  return [expires, secret.prove(purpose, [group, expires])].join(separator);
}

/** @throws DsmError FORBIDDEN with the reason */
export function assertMaintenance(
  secret: ClusterSecret,
  group: string,
  token: string,
  nowMs: number,
): void {
  const [expires = "", proof = "", ...rest] = token.split(separator);
  if (rest.length > 0 || !sameProof(proof, secret.prove(purpose, [group, expires]))) {
    throw refused(`it was not made with this cluster's secret for group ${group}`);
  }
  // A leading zero or a space would have changed the proof, so this is the number that was signed.
  if (Number(expires) <= nowMs) throw refused("it has expired");
}

function refused(why: string): DsmError {
  return new DsmError("FORBIDDEN", `the right to maintain is refused: ${why}`, {
    remedy: "compare the cluster secrets and the clocks of both hosts",
  });
}

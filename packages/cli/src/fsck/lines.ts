import { findingKinds, type FindingKind } from "@dsm/storage";
import { z } from "zod";
import { sizeText } from "../table.ts";

/** A finding as a storage tells it; of a newer dsm it may be of a kind that is not known here. */
export const foundSchema = z.object({
  kind: z.string(),
  severity: z.string(),
  user: z.string().optional(),
  fileId: z.string().optional(),
  version: z.number().optional(),
  blobId: z.string().optional(),
  path: z.string().optional(),
  detail: z.string(),
  repaired: z.string().optional(),
});
export type Found = z.infer<typeof foundSchema>;

export const summarySchema = z.object({
  group: z.string(),
  blobs: z.number(),
  bytes: z.number(),
  records: z.number(),
  findings: z.record(z.string(), z.number()),
  repaired: z.number(),
});

/** What was found, on what, and what was done or can be. */
export function findingLine(finding: Found, { repair }: { readonly repair: boolean }): string {
  const { kind, severity, user, fileId, version, blobId, path, detail, repaired } = finding;
  const file = user === undefined ? undefined : [user, fileId].filter(Boolean).join("/");
  const which = version === undefined ? file : `${file} version ${version}`;
  const on = [which, path ?? (blobId === undefined ? undefined : `blob ${blobId}`)];
  const known = Object.hasOwn(findingKinds, kind) ? findingKinds[kind as FindingKind] : undefined;
  const then = repair ? "not repaired" : "with --repair";
  const can = known === undefined ? "see a newer dsm" : known.repair;
  const what = repaired === undefined ? `${then}: ${can}` : `repaired: ${repaired}`;
  return `${severity}  ${kind}  ${on.filter(Boolean).join(", ")}: ${detail}; ${what}`;
}

export function summaryLines(summary: z.infer<typeof summarySchema>): string[] {
  const { group, blobs, bytes, records, findings, repaired } = summary;
  const total = Object.values(findings).reduce((sum, count) => sum + count, 0);
  const read = bytes === 0 ? "" : `, ${sizeText(bytes)} read`;
  const head = `group ${group}: ${blobs} blobs and ${records} records compared${read}`;
  if (total === 0) return [`${head}: nothing is wrong`];
  const kinds = Object.entries(findings).map(([kind, count]) => `${count} ${kind}`);
  return [`${head}: ${kinds.join(", ")}; ${repaired} of ${total} repaired`];
}

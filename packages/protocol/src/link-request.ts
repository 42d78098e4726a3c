import { z } from "zod";
import { DsmError } from "./errors.ts";
import { fileIdSchema, nameSchema, timeMsSchema } from "./file-info.ts";
import { limits } from "./limits.ts";
import type { MediaLink } from "./media-link.ts";

/** What is said to have a link made: to `POST /api/v1/links`, and by `dsm url`. */
const linkRequestSchema = z
  .strictObject({
    user: nameSchema,
    fileId: fileIdSchema.optional(),
    /** All files below it; empty, or a folder with its slash at the end. */
    prefix: z.string().max(limits.fileIdMaxBytes).optional(),
    expiresInS: z.number().int().min(1).max(limits.linkTtlMaxS).optional(),
    expiresAtMs: timeMsSchema.optional(),
    notBeforeMs: timeMsSchema.optional(),
    downloadOnly: z.boolean().optional(),
    clientAddress: z.string().max(45).optional(),
  })
  .refine(({ fileId, prefix }) => (fileId === undefined) !== (prefix === undefined), {
    error: "give fileId or prefix, one of the two",
  })
  .refine((it) => (it.expiresInS === undefined) !== (it.expiresAtMs === undefined), {
    error: "give expiresInS or expiresAtMs, one of the two",
  });

export type LinkRequest = z.infer<typeof linkRequestSchema>;

/** The answer to a LinkRequest. */
export const linkAnswerSchema = z.object({
  path: z.string(),
  url: z.string(),
  keyId: z.string(),
  expiresAtMs: timeMsSchema,
  notBeforeMs: timeMsSchema.optional(),
});

export type LinkAnswer = z.infer<typeof linkAnswerSchema>;

/** @throws DsmError BAD_REQUEST with the field and what is wrong with it */
export function parseLinkRequest(request: unknown, nowMs: number): MediaLink {
  const parsed = linkRequestSchema.safeParse(request);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
    throw badRequest(`${where}${issue?.message ?? "it is malformed"}`);
  }
  const { user, fileId, prefix = "", expiresInS, notBeforeMs, ...rest } = parsed.data;
  const expiresAtMs = rest.expiresAtMs ?? nowMs + (expiresInS ?? 0) * 1_000;
  if (expiresAtMs <= nowMs) throw badRequest("expiresAtMs: it is in the past");
  if (expiresAtMs > nowMs + limits.linkTtlMaxS * 1_000) {
    throw badRequest(`expiresAtMs: it is more than ${limits.linkTtlMaxS} seconds ahead`);
  }
  const scope = fileId === undefined ? { prefix } : { fileId };
  const { downloadOnly, clientAddress } = rest;
  return { user, scope, expiresAtMs, notBeforeMs, downloadOnly, clientAddress };
}

function badRequest(why: string): DsmError {
  return new DsmError("BAD_REQUEST", `the request for a link is refused: ${why}`, {
    remedy: "send {user, fileId | prefix, expiresInS | expiresAtMs} as JSON",
  });
}

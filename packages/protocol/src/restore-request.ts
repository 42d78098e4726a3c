import { z } from "zod";
import { DsmError } from "./errors.ts";
import { blobIdSchema, fileIdSchema } from "./file-info.ts";

/** The body of a request to restore a file, as the API of a gateway takes it. */
const restoreRequestSchema = z.strictObject({
  /** Which version; the newest one in the trash unless given. */
  blob: blobIdSchema.optional(),
  /** The name that it gets; the one that it had unless given. */
  as: fileIdSchema.optional(),
  overwrite: z.boolean().optional(),
});
type RestoreWish = z.infer<typeof restoreRequestSchema>;

/** @throws DsmError BAD_REQUEST */
export function parseRestoreRequest(body: unknown): RestoreWish {
  const wanted = restoreRequestSchema.safeParse(body);
  if (wanted.success) return wanted.data;
  const [issue] = wanted.error.issues;
  const at = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  throw new DsmError("BAD_REQUEST", `the restore is wrong: ${at}${issue?.message ?? ""}`, {
    remedy: 'send {} or {"blob": ID, "as": FILEID, "overwrite": true}',
  });
}

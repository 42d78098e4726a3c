import type { DsmClient, LocatedFile } from "@dsm/client";
import {
  type BodySource,
  localSource,
  planResponse,
  type RequestInfo,
  respond,
} from "@dsm/delivery";
import { parseMediaTarget } from "@dsm/protocol";
import type { Delivery } from "./delivery-choice.ts";
import type { Front } from "./front.ts";
import type { LocatedFiles } from "./located-files.ts";
import type { ReadAccess } from "./read-access.ts";

export interface MediaReadsOptions {
  readonly client: DsmClient;
  readonly reads: ReadAccess;
  readonly files: LocatedFiles;
  readonly delivery: Delivery;
  readonly front: Pick<Front, "assertKeepsLength">;
}

/** GET and HEAD of one file: locate it, plan the answer, take the bytes from disk or a storage. */
export async function readMedia(
  options: MediaReadsOptions,
  request: Request,
  info: RequestInfo,
): Promise<Response> {
  const { reads, files, delivery } = options;
  const target = parseMediaTarget(request.url);
  const grant = reads.admit(request, target, info.remoteAddress);
  const located = await files.locate(target.user, target.fileId, request.signal);
  const download = grant.downloadOnly || target.query.get("download") === "1";
  const { method, headers } = request;
  const plan = planResponse({ method, headers, download }, located.file);
  const root = await delivery.mountOf(located.file.group);
  const source =
    root === undefined
      ? proxySource(options, located, request.signal)
      : localSource(root, located.file);
  return respond(plan, source);
}

/** Streams through from a storage, and from another one when that dies in the middle. */
function proxySource(
  { client, front }: MediaReadsOptions,
  located: LocatedFile,
  signal: AbortSignal,
): BodySource {
  return {
    async open(start, endExclusive) {
      await front.assertKeepsLength();
      return client.openLocated(located, { start, endExclusive, signal });
    },
  };
}

import type { DsmClient, LocatedFile } from "@dsm/client";
import {
  type BodySource,
  localSource,
  planResponse,
  privatePolicy,
  type RequestInfo,
  respond,
  type ServingPolicy,
} from "@dsm/delivery";
import { DsmError, type FileInfo, type MediaTarget, parseReadTarget } from "@dsm/protocol";
import type { Delivery } from "./delivery-choice.ts";
import type { Front } from "./front.ts";
import { blindness, type GivenVersions, type Look } from "./given-versions.ts";
import type { HotFiles } from "./hot-files.ts";
import type { LocatedFiles } from "./located-files.ts";
import type { GatewayMetrics } from "./metrics.ts";
import type { ReadAccess } from "./read-access.ts";
import type { Redirector } from "./redirect.ts";
import type { TrustedProxies } from "./trusted-proxies.ts";

export interface MediaReadsOptions {
  readonly client: DsmClient;
  readonly reads: ReadAccess;
  readonly files: LocatedFiles;
  readonly hot: HotFiles;
  readonly given: GivenVersions;
  readonly proxies: Pick<TrustedProxies, "clientAddress">;
  readonly metrics: Pick<GatewayMetrics, "deliveries">;
  readonly delivery: Delivery;
  readonly redirector: Redirector;
  readonly front: Pick<Front, "assertKeepsLength">;
  readonly policy: ServingPolicy;
}

/** GET and HEAD of one file: locate it, plan the answer, take the bytes from disk or a storage. */
export async function readMedia(
  options: MediaReadsOptions,
  request: Request,
  info: RequestInfo,
): Promise<Response> {
  const { reads, files, delivery, redirector, metrics } = options;
  const target = parseReadTarget(request.url);
  const grant = reads.admit(request, target, info);
  const located = await files.locate(target.user, target.fileId, request.signal);
  const download = grant.downloadOnly || target.query.get("download") === "1";
  const { method, headers } = request;
  const { keepsLength } = info;
  const look = lookAt(options, request, info, located.file);
  const blind = look.hadAnother && method === "GET" ? blindness(headers) : undefined;
  if (blind === "resume") throw replaced(target);
  const ignoresRange = blind === "part";
  const policy = grant.isPrivate ? privatePolicy(options.policy) : options.policy;
  const plan = planResponse(
    { method, headers, download, keepsLength, ignoresRange },
    located.file,
    policy,
  );
  const way = await delivery.wayOf(located.file);
  // What has no bytes is answered here: all that it says is known.
  if (plan.body === undefined) return respond(plan, noBytes);
  look.remember();
  // A storage would not know that the Range does not count, so such a one is answered here.
  if (way.kind === "redirect" && !ignoresRange) {
    metrics.deliveries.inc({ from: "redirect" });
    return redirector.respond(located, grant, download);
  }
  const root = way.kind === "local" ? way.root : undefined;
  return respond(plan, sourceOf(options, located, root, { request, info }));
}

function lookAt(
  { given, proxies }: MediaReadsOptions,
  { headers }: Request,
  info: RequestInfo,
  file: FileInfo,
): Look {
  const address = proxies.clientAddress(headers, info.remoteAddress) ?? info.remoteAddress;
  return given.look({ address, userAgent: headers.get("user-agent") ?? "" }, file);
}

/**
 * Not the whole with 200, as RFC 9110, section 14.2, would allow: wget skips as many of its bytes
 * as it has and appends the rest. This stops wget, curl and FFmpeg, and a start anew goes on.
 */
function replaced({ user, fileId }: MediaTarget): DsmError {
  const what = `${user}/${fileId} was replaced since this client read the beginning of it`;
  return new DsmError("PRECONDITION_FAILED", what, {
    remedy: "read it anew from its start, or send If-Range with the ETag",
  });
}

/** Never opened. */
const noBytes: BodySource = { open: () => "" };

interface Asked {
  readonly request: Request;
  readonly info: RequestInfo;
}

/** Memory for what is small, else the mounted file system, else a storage. */
function sourceOf(
  options: MediaReadsOptions,
  located: LocatedFile,
  root: string | undefined,
  { request, info }: Asked,
): BodySource {
  const { signal } = request;
  const { hot, metrics } = options;
  const { file } = located;
  const mounted =
    root === undefined ? undefined : mountedSource(options, root, located, { request, info });
  if (hot.takes(file)) {
    metrics.deliveries.inc({ from: "memory" });
    return hot.source(file, mounted ?? upstreamSource(options, located, signal));
  }
  metrics.deliveries.inc({ from: mounted === undefined ? "proxy" : "local" });
  return mounted ?? proxySource(options, located, signal, info);
}

/**
 * The mounted file system, and a storage where it turns out to have gone a moment ago: then no
 * file of it is damaged, though none is there.
 */
function mountedSource(
  options: MediaReadsOptions,
  root: string,
  located: LocatedFile,
  { request, info }: Asked,
): BodySource {
  const { file } = located;
  const local = localSource(root, file);
  return {
    async open(start, endExclusive) {
      try {
        return await local.open(start, endExclusive);
      } catch (error) {
        const way = await options.delivery.wayOf(file, { lookAnew: true });
        if (way.kind === "local") throw error;
        return proxySource(options, located, request.signal, info).open(start, endExclusive);
      }
    },
  };
}

/** The bytes of a storage, and of another one when that dies in the middle. */
function upstreamSource(
  { client }: Pick<MediaReadsOptions, "client">,
  located: LocatedFile,
  signal: AbortSignal,
): BodySource {
  return {
    open: (start, endExclusive) => client.openLocated(located, { start, endExclusive, signal }),
  };
}

/** As upstreamSource, where the stream itself is the body of the answer. */
function proxySource(
  options: MediaReadsOptions,
  located: LocatedFile,
  signal: AbortSignal,
  info: RequestInfo,
): BodySource {
  const upstream = upstreamSource(options, located, signal);
  return {
    async open(start, endExclusive) {
      await options.front.assertKeepsLength(info);
      return upstream.open(start, endExclusive);
    },
  };
}

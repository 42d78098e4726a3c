import {
  type HttpServer,
  type HttpServerOptions,
  openTls,
  serveHttp,
  type TlsFiles,
  type TlsPaths,
} from "@dsm/delivery";
import type { Log } from "@dsm/log";
import { DsmError, isWildcard } from "@dsm/protocol";
import { dataApp, type DataAppOptions, dataRoutesOf, type Side } from "./data-app.ts";

/** With TLS on the public port, or on the data port where that is the only one. */
export interface DataPortsOptions extends TlsPaths {
  readonly hostname: string;
  /** 0 for any free one. */
  readonly port: number;
  /** A port of its own for the public, so that the data port may stay in a private network. */
  readonly publicListen?: { readonly hostname: string; readonly port: number } | undefined;
  /** Where trackers, gateways and clients reach the data port; else what it listens on. */
  readonly dataUrl?: string | undefined;
  /** Where the public reaches it; else what the public port listens on, else dataUrl. */
  readonly publicUrl?: string | undefined;
  /** Several processes serve the same ports. */
  readonly reusePort?: boolean;
  readonly log: Log;
}

/** Where a storage serves: the data port, and beside it, when one is named, the public port. */
export class DataPorts {
  readonly #options: DataPortsOptions;
  readonly #inside: HttpServer;
  readonly #public: HttpServer | undefined;
  readonly #tls: TlsFiles | undefined;

  private constructor(
    options: DataPortsOptions,
    inside: HttpServer,
    publicSide: HttpServer | undefined,
    tls: TlsFiles | undefined,
  ) {
    this.#options = options;
    this.#inside = inside;
    this.#public = publicSide;
    this.#tls = tls;
  }

  /** @throws DsmError ADDRESS_IN_USE or BAD_CONFIG */
  static async open(options: DataPortsOptions, app: DataAppOptions): Promise<DataPorts> {
    const { publicListen, log } = options;
    const { hostname, port } = options;
    await using cleanup = new AsyncDisposableStack();
    const tls = cleanup.use(await openTls(options, log));
    const insideTls = publicListen === undefined ? tls : undefined;
    const inside = await listen(options, app, "inside", { hostname, port, tls: insideTls });
    cleanup.use(inside);
    const publicSide =
      publicListen === undefined
        ? undefined
        : await listen(options, app, "public", { ...publicListen, tls });
    cleanup.move();
    return new DataPorts(options, inside, publicSide, tls);
  }

  get dataUrl(): string {
    return this.#options.dataUrl ?? this.#inside.url;
  }

  get publicUrl(): string {
    return this.#options.publicUrl ?? this.#public?.url ?? this.dataUrl;
  }

  get port(): number {
    return this.#inside.port;
  }

  /** Undefined where the public has no port of its own. */
  get publicPort(): number | undefined {
    return this.#public?.port;
  }

  /** Requests that are being answered, on both sides. */
  get activeRequests(): number {
    return this.#inside.activeRequests + (this.#public?.activeRequests ?? 0);
  }

  async drain(timeoutMs: number): Promise<void> {
    await Promise.all([this.#inside.drain(timeoutMs), this.#public?.drain(timeoutMs)]);
    this.#tls?.[Symbol.dispose]();
  }

  kill(): void {
    this.#inside.kill();
    this.#public?.kill();
    this.#tls?.[Symbol.dispose]();
  }
}

function listen(
  { reusePort = false, log }: DataPortsOptions,
  options: DataAppOptions,
  side: Side,
  address: Pick<HttpServerOptions, "hostname" | "port" | "tls">,
): Promise<HttpServer> {
  const app = dataApp(options, side);
  return serveHttp({
    ...address,
    engine: "sendfile",
    fetch: (request, info) => app.fetch(request, info),
    cors: { origins: ["*"], routeOf: dataRoutesOf(side) },
    onFault: (err) => log.warn({ err, side }, "data port: request failed"),
    reusePort,
  });
}

/**
 * `every address` is good to listen on and tells nobody where to connect to.
 * @throws DsmError BAD_CONFIG
 */
export function assertReachable(options: DataPortsOptions): void {
  const { hostname, dataUrl, publicListen, publicUrl } = options;
  if (dataUrl === undefined && isWildcard(hostname)) throw nowhere(hostname, "--data-url");
  if (publicListen === undefined || publicUrl !== undefined) return;
  if (isWildcard(publicListen.hostname)) throw nowhere(publicListen.hostname, "--public-url");
}

function nowhere(hostname: string, flag: string): DsmError {
  return new DsmError(
    "BAD_CONFIG",
    `a storage that listens on ${hostname} has no address to tell`,
    {
      remedy: `name the address that others reach it at with ${flag}`,
    },
  );
}

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { DsmError, systemErrorCode } from "@dsm/protocol";

/** A certificate chain and its key, as PEM. */
interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface TlsFilesOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** How often the files are looked at, in milliseconds. */
  readonly checkIntervalMs?: number;
  /**
   * Told once of files that changed into something that cannot be used, in which case the old
   * pair stays, and every day of a certificate that ends soon.
   */
  readonly onFault: (error: DsmError) => void;
  /** A new pair is in use, until then. */
  readonly onRenewed?: (expiresAt: Date) => void;
}

/** What TLS servers need to know of a certificate that may be renewed while they run. */
export interface TlsPair {
  readonly current: Pair;
  /** @returns what ends that */
  onChange(listener: (pair: Pair) => void): () => void;
}

const checkIntervalDefaultMs = 2_000;
const dayMs = 86_400_000;
/** Whoever renews by a timer has done so long before. */
const warnBeforeMs = 7 * dayMs;

/**
 * A certificate and its key in files, taken over anew when they change, as certbot and the like
 * renew them. Looked at by time and not by inotify, which tells nothing of a symbolic link whose
 * target was exchanged.
 */
export class TlsFiles implements TlsPair, Disposable {
  readonly #options: TlsFilesOptions;
  readonly #listeners = new Set<(pair: Pair) => void>();
  readonly #timers: Timer[];
  #current: Pair;
  #stamp: string;
  #failedStamp: string | undefined;
  #isLooking = false;

  /** @throws DsmError BAD_CONFIG for files that cannot be read or do not belong together */
  static async open(options: TlsFilesOptions): Promise<TlsFiles> {
    const stamp = await stampOf(options);
    return new TlsFiles(options, await readPair(options), stamp);
  }

  private constructor(options: TlsFilesOptions, pair: Pair, stamp: string) {
    this.#options = options;
    this.#current = pair;
    this.#stamp = stamp;
    const { checkIntervalMs = checkIntervalDefaultMs } = options;
    this.#timers = [
      setInterval(() => void this.#look(), checkIntervalMs),
      setInterval(() => this.#warnOfEnd(), dayMs),
    ];
    for (const timer of this.#timers) timer.unref();
    this.#warnOfEnd();
  }

  get current(): Pair {
    return this.#current;
  }

  onChange(listener: (pair: Pair) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const stamp = await stampOf(this.#options).catch(() => "unreadable");
    if (stamp !== this.#stamp) await this.#take(stamp);
    this.#isLooking = false;
  }

  async #take(stamp: string): Promise<void> {
    try {
      this.#current = await readPair(this.#options);
    } catch (error) {
      // The two files are not written at one moment, so only what stays broken is told of.
      if (this.#failedStamp === stamp) {
        this.#stamp = stamp;
        this.#options.onFault(DsmError.from(error, "reading the renewed certificate"));
      }
      this.#failedStamp = stamp;
      return;
    }
    this.#stamp = stamp;
    for (const listener of this.#listeners) listener(this.#current);
    this.#options.onRenewed?.(endOf(this.#current));
    this.#warnOfEnd();
  }

  #warnOfEnd(): void {
    const end = endOf(this.#current);
    if (end.getTime() - Date.now() >= warnBeforeMs) return;
    const what = `the certificate in ${this.#options.certFile} ends at ${end.toISOString()}`;
    this.#options.onFault(
      new DsmError("BAD_CONFIG", what, { remedy: "renew it; a new one is taken over by itself" }),
    );
  }
}

function endOf({ cert }: Pair): Date {
  return new X509Certificate(cert).validToDate;
}

/** Changes whenever one of the files is written or exchanged. */
async function stampOf({ certFile, keyFile }: TlsFilesOptions): Promise<string> {
  // One after the other, so that of two missing files the first is told of, and not either.
  const stats = [await statFile(certFile), await statFile(keyFile)];
  return stats.map(({ ino, ctimeMs, size }) => `${ino}:${ctimeMs}:${size}`).join(" ");
}

async function readPair({ certFile, keyFile }: TlsFilesOptions): Promise<Pair> {
  const cert = await readText(certFile);
  const key = await readText(keyFile);
  let fits: boolean;
  try {
    fits = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw new DsmError("BAD_CONFIG", `${certFile} and ${keyFile} are no certificate and key`, {
      remedy: "both must be PEM; the certificate of this server first, then its chain",
      cause,
    });
  }
  if (fits) return { cert, key };
  throw new DsmError("BAD_CONFIG", `the key in ${keyFile} is not that of ${certFile}`, {
    remedy: "name the key that the certificate was made for",
  });
}

async function statFile(path: string) {
  return stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
}

function unreadable(path: string, cause: unknown): DsmError {
  const why = systemErrorCode(cause) ?? "it failed";
  return new DsmError("BAD_CONFIG", `${path} cannot be read: ${why}`, {
    remedy: "name PEM files that this user may read with --tls-cert and --tls-key",
    cause,
  });
}

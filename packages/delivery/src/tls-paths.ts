import { DsmError } from "@dsm/protocol";
import { TlsFiles } from "./tls-files.ts";

/** As the options of a server give it: both or none. */
export interface TlsPaths {
  /** PEM: the certificate of this server first, then its chain. */
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
}

interface Teller {
  warn(bindings: object, message: string): void;
  info(bindings: object, message: string): void;
}

/**
 * The certificate of a server, followed as it is renewed; undefined where there is none.
 * @throws DsmError BAD_CONFIG
 */
export async function openTls(
  { tlsCert: certFile, tlsKey: keyFile }: TlsPaths,
  log: Teller,
): Promise<TlsFiles | undefined> {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new DsmError("BAD_CONFIG", "TLS needs both a certificate and its key", {
      remedy: "name both with --tls-cert and --tls-key, or neither",
    });
  }
  return TlsFiles.open({
    certFile,
    keyFile,
    onFault: (err) => log.warn({ err }, "TLS: the certificate needs attention"),
    onRenewed: (expiresAt) => log.info({ certFile, expiresAt }, "TLS: certificate renewed"),
  });
}

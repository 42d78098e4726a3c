import { readFile, stat } from "node:fs/promises";
import { DsmError, limits, systemErrorCode } from "@dsm/protocol";
import { type NamedOption, namedOptions } from "./names.ts";
import { readFrom, type Setting, sourceNames, type Sources } from "./read-option.ts";

const groupAndOthers = 0o077;

/**
 * The cluster secret from the heaviest source that sets it or its file.
 * @throws DsmError BAD_CONFIG: both are set in one source, the file cannot be read, is open to
 * others or too short
 */
export async function readSecret(sources: Sources): Promise<string | undefined> {
  for (const source of sourceNames) {
    const inPlace = readFrom(source, commonOption("secret"), sources);
    const inFile = readFrom(source, commonOption("secretFile"), sources);
    if (inPlace !== undefined && inFile !== undefined) throw twice(inPlace, inFile);
    if (inFile !== undefined) return readSecretFile(String(inFile.value), inFile.place);
    if (inPlace !== undefined) return assertLong(String(inPlace.value), inPlace.place);
  }
  return undefined;
}

function commonOption(key: string): NamedOption {
  const named = namedOptions.find((it) => it.section === "common" && it.key === key);
  if (named === undefined) throw new Error(`the table of options lacks ${key}`);
  return named;
}

/**
 * @param place names where the path was set, for errors
 * @throws DsmError BAD_CONFIG
 */
export async function readSecretFile(path: string, place: string): Promise<string> {
  return assertLong(await readPrivateFile(path, place), path);
}

/**
 * What a file with secrets holds, without blanks around it.
 * @param place names where the path was set, for errors
 * @throws DsmError BAD_CONFIG when it cannot be read, or others than its owner can read it
 */
export async function readPrivateFile(path: string, place: string): Promise<string> {
  try {
    const mode = (await stat(path)).mode & 0o777;
    if ((mode & groupAndOthers) !== 0) throw tooOpen(path, mode);
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    if (cause instanceof DsmError) throw cause;
    const why = systemErrorCode(cause) ?? String(cause);
    throw new DsmError("BAD_CONFIG", `${place}: cannot read the secret file ${path}: ${why}`, {
      remedy: "name a file that this user can read, or make it: openssl rand -hex 32 > secret",
      cause,
    });
  }
}

/** @throws DsmError BAD_CONFIG when others than the owner may read the file */
export function tooOpen(path: string, mode: number): DsmError {
  const shown = mode.toString(8).padStart(4, "0");
  return new DsmError(
    "BAD_CONFIG",
    `${path} holds a secret and its mode ${shown} lets others read it`,
    { remedy: `chmod 600 ${path}` },
  );
}

export function isTooOpen(mode: number): boolean {
  return (mode & groupAndOthers) !== 0;
}

function assertLong(secret: string, place: string): string {
  if (secret.length >= limits.secretMinChars) return secret;
  throw new DsmError("BAD_CONFIG", `${place}: the cluster secret has ${secret.length} characters`, {
    remedy: `use at least ${limits.secretMinChars}, for example from: openssl rand -hex 32`,
  });
}

function twice(inPlace: Setting, inFile: Setting): DsmError {
  return new DsmError("BAD_CONFIG", `${inPlace.place} and ${inFile.place} are both set`, {
    remedy: "keep one of them",
  });
}

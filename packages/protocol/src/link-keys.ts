import { randomBytes } from "node:crypto";
import { DsmError } from "./errors.ts";
import { limits } from "./limits.ts";
import { type Prover, proverWith } from "./secret.ts";

/** A key that signs links. Its id stands in each link, so that keys can be told apart. */
export interface LinkKey {
  readonly id: string;
  readonly secret: string;
}

const idPattern = new RegExp(`^[A-Za-z0-9_-]{1,${limits.linkKeyIdMaxChars}}$`);
// Printable ASCII without the comma, which separates keys in a list.
const secretPattern = /^[\x21-\x2b\x2d-\x7e]*$/;

export const linkKeyRule =
  `ID:SECRET, the id 1 to ${limits.linkKeyIdMaxChars} of A-Z a-z 0-9 _ -, the secret ` +
  `${limits.secretMinChars} to ${limits.linkKeySecretMaxChars} printable ASCII characters ` +
  "without comma or blank";

/** Reads `ID:SECRET`. What is wrong is said without the secret. */
export function readLinkKey(text: string): { value: LinkKey } | { fault: string } {
  const [, id, secret] = /^([^:]*):(.*)$/s.exec(text) ?? [];
  if (id === undefined || secret === undefined) return { fault: "it has no :" };
  if (!isLinkKeyId(id)) return { fault: "what stands before the : is no id of a key" };
  if (!secretPattern.test(secret)) return { fault: "the secret holds a character that it may not" };
  if (secret.length < limits.secretMinChars || secret.length > limits.linkKeySecretMaxChars) {
    return { fault: `the secret has ${secret.length} characters` };
  }
  return { value: { id, secret } };
}

export function showLinkKey({ id, secret }: LinkKey): string {
  return `${id}:${secret}`;
}

export function isLinkKeyId(text: string): boolean {
  return idPattern.test(text);
}

const purpose = "media link v1";

/** The keys that are good now: the first signs, all check. */
export class LinkKeys {
  readonly #provers: ReadonlyMap<string, Prover>;
  // A link with an unknown key id is checked in vain, so that it takes the time of any other.
  readonly #nobody = proverWith(randomBytes(32).toString("base64url"));

  /** @throws DsmError BAD_CONFIG when two keys share an id */
  constructor(keys: readonly LinkKey[]) {
    this.#provers = new Map(keys.map(({ id, secret }) => [id, proverWith(secret)]));
    const twice = keys.find(({ id }, index) => keys.findIndex((it) => it.id === id) !== index);
    if (twice === undefined) return;
    throw new DsmError("BAD_CONFIG", `two link keys have the id ${twice.id}`, {
      remedy: "give each key an id of its own, for example the month when it was made",
    });
  }

  /** The id of the key that signs; undefined where there is none. */
  get signerId(): string | undefined {
    return this.#provers.keys().next().value;
  }

  /** The signature under the key of that id; for an unknown id one that nobody can know. */
  prove(id: string, parts: readonly string[]): string {
    return (this.#provers.get(id) ?? this.#nobody).prove(purpose, [id, ...parts]);
  }
}

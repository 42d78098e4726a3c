import type { Kind } from "./kinds/kind.ts";

/** Who reads configuration. `client` is every command of the CLI that asks the cluster. */
export const configRoles = ["tracker", "id", "storage", "gateway", "client"] as const;
export type ConfigRole = (typeof configRoles)[number];

/** A section of the TOML file; options that several roles share stand before all sections. */
export const sections = ["common", "tracker", "id", "storage", "gateway"] as const;
export type Section = (typeof sections)[number];

type Presence = "default" | "required" | "optional";

/** One row of the table of options. `T` is what a loaded configuration holds. */
export interface Option<T, P extends Presence = Presence> {
  readonly kind: Kind<T>;
  /** `required` binds the roles; a client may find the cluster in another way. */
  readonly presence: P;
  /** One sentence or more, in Markdown without line breaks. */
  readonly doc: string;
  /** The default, or what stands in the samples where there is none. */
  readonly example: T;
  /** The default in words, where the table holds none. */
  readonly fallbackDoc?: string;
  /** The flag, where it is not made from the key. */
  readonly flag?: string;
  /** Never a flag, since any user of a machine can read command lines; never in an error. */
  readonly confidential?: boolean;
}

type Extra = Pick<Option<unknown>, "fallbackDoc" | "flag" | "confidential">;

export function withDefault<T>(kind: Kind<T>, example: T, doc: string): Option<T, "default"> {
  return { kind, presence: "default", doc, example };
}

export function required<T>(
  kind: Kind<T>,
  example: T,
  doc: string,
  extra: Extra = {},
): Option<T, "required"> {
  return { kind, presence: "required", doc, example, ...extra };
}

export function optional<T>(
  kind: Kind<T>,
  example: T,
  doc: string,
  extra: Extra = {},
): Option<T, "optional"> {
  return { kind, presence: "optional", doc, example, ...extra };
}

/** An option that several roles share. */
export type SharedOption<O, R extends ConfigRole> = O & { readonly roles: readonly R[] };

export function shared<O extends Option<unknown>, const R extends ConfigRole>(
  roles: readonly R[],
  option: O,
): SharedOption<O, R> {
  return { ...option, roles };
}

import type { MediaTarget } from "@dsm/protocol";

/** What a reader who is let in may do. */
export interface ReadGrant {
  /** The bytes leave as an attachment, whatever the URL asks for. */
  readonly downloadOnly: boolean;
  /** Until when the right is good; forever where it is undefined. */
  readonly expiresAtMs?: number | undefined;
  /** The only address that may use it; any where it is undefined. */
  readonly clientAddress?: string | undefined;
}

/** Who may read. */
export interface ReadAccess {
  /** @throws DsmError UNAUTHENTICATED or FORBIDDEN */
  admit(request: Request, target: MediaTarget, remoteAddress: string): ReadGrant;
}

/** Everybody may read everything. */
export const publicReads: ReadAccess = { admit: () => ({ downloadOnly: false }) };

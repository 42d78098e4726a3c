import { type Kind, textKind } from "./kind.ts";

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const directive = `${token}(?:=(?:${token}|"[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]*"))?`;
const directivesPattern = new RegExp(`^${directive}(?: *, *${directive})*$`);
const namePattern = new RegExp(`^${token}$`);

/** The value of a Cache-Control header (RFC 9111, section 5.2). */
export const cacheControl: Kind<string> = textKind({
  rule: "directives of Cache-Control, as in public, max-age=3600",
  hint: "DIRECTIVES",
  read: (value) =>
    directivesPattern.test(value) ? { value } : { fault: "it is no list of cache directives" },
  show: (value) => value,
});

/** The name of a header field; `*` is one too (RFC 9110, section 12.5.5). */
export const fieldName: Kind<string> = textKind({
  rule: "the name of a header",
  hint: "HEADER",
  read: (value) => (namePattern.test(value) ? { value } : { fault: "it is no name of a header" }),
  show: (value) => value,
});

/** An origin as browsers send it, or `*`. */
export const origin: Kind<string> = textKind({
  rule: "* or an origin, as in https://player.example.org",
  hint: "ORIGIN",
  read: (value) => {
    if (value === "*") return { value };
    const url = URL.parse(value);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      return { fault: "it is neither * nor an origin of http or https" };
    }
    // Browsers send no path, no port that goes without saying and no capitals, and dsm compares.
    return url.origin === value ? { value } : { fault: `as an origin it is ${url.origin}` };
  },
  show: (value) => value,
});

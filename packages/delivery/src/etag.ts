/** An entity tag without its quotes (RFC 9110, section 8.8.3). */
export interface EntityTag {
  readonly weak: boolean;
  readonly opaque: string;
}

// Header values arrive as one char per byte, so obs-text is U+0080 to U+00FF.
const tagPattern = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/y;
const onlyTagPattern = new RegExp(`^${tagPattern.source}$`);
const separatorPattern = /[ \t]*(?:,[ \t]*)+/y;

// Not trim(): U+00A0 is a byte of obs-text here and no blank.
const outerBlanksPattern = /^[ \t]+|[ \t]+$/g;

/**
 * The value of If-Match or If-None-Match: "any" for `*`, the tags of a list, or undefined when it
 * is neither.
 */
export function parseEntityTags(value: string): "any" | EntityTag[] | undefined {
  const text = value.replace(outerBlanksPattern, "");
  if (text === "*") return "any";
  const tags: EntityTag[] = [];
  let at = skip(separatorPattern, text, 0);
  while (at < text.length) {
    tagPattern.lastIndex = at;
    const match = tagPattern.exec(text);
    if (match === null) return undefined;
    tags.push({ weak: match[1] !== undefined, opaque: match[2] ?? "" });
    const end = tagPattern.lastIndex;
    at = skip(separatorPattern, text, end);
    if (at === end && at < text.length) return undefined;
  }
  return tags.length === 0 ? undefined : tags;
}

/** One tag and nothing else, as If-Range holds. */
export function parseEntityTag(value: string): EntityTag | undefined {
  const match = onlyTagPattern.exec(value.replace(outerBlanksPattern, ""));
  return match === null ? undefined : { weak: match[1] !== undefined, opaque: match[2] ?? "" };
}

/** Weak comparison (RFC 9110, section 8.8.3.2). */
export function matchesWeakly(tag: EntityTag, etag: string): boolean {
  return etag === `"${tag.opaque}"` || etag === `W/"${tag.opaque}"`;
}

/** Strong comparison (RFC 9110, section 8.8.3.2): neither may be weak. */
export function matchesStrongly(tag: EntityTag, etag: string): boolean {
  return !tag.weak && etag === `"${tag.opaque}"`;
}

function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

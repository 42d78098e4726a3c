const codePointMax = 0x10ffff;
const surrogateFirst = 0xd800;
const surrogateLast = 0xdfff;

/**
 * The first text, in the byte order of UTF-8, that comes after all texts that begin with
 * `prefix`; undefined when there is none. That order is the order of code points, so the last one
 * that can be is raised by one, and those behind it are dropped: the result stays valid UTF-8.
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  while (points.at(-1) === codePointMax) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  const raised = last + 1 === surrogateFirst ? surrogateLast + 1 : last + 1;
  return String.fromCodePoint(...points, raised);
}

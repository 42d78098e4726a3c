/**
 * A request as it may stand in a log. The query and a segment that begins with `~` can hold a
 * signed link or a capability, and whoever reads the log would have that right.
 */
export function shownRequest(method = "", url = ""): string {
  const path = url.replace(/[?#].*$/su, "").replace(/\/~[^/]*/g, "/~…");
  return `${method} ${path}`;
}

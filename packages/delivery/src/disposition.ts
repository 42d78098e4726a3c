/**
 * The value of Content-Disposition (RFC 6266) with the last segment of the file id as the name:
 * quoted where it is plain ASCII, and as `filename*` (RFC 8187) too where it is not.
 */
export function contentDisposition(fileId: string, download: boolean): string {
  const type = download ? "attachment" : "inline";
  const name = fileId.slice(fileId.lastIndexOf("/") + 1);
  const plain = name.replace(unsafePattern, "_");
  const quoted = `${type}; filename="${plain}"`;
  return plain === name ? quoted : `${quoted}; filename*=UTF-8''${encodeExtended(name)}`;
}

// RFC 6266, appendix D: no escapes, and no % either, for some browsers decode them.
const unsafePattern = /[^\x20-\x7e]|["%\\]/gu;

/** RFC 8187, section 3.2.1: attr-char stays, every other byte is percent-encoded. */
function encodeExtended(name: string): string {
  return encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

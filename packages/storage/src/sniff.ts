import { limits } from "@dsm/protocol";
import { fileTypeFromBuffer } from "file-type";

const unknown = "application/octet-stream";

/**
 * The media type of a file by its first limits.sniffMaxBytes, for an upload of which neither the
 * client nor the name says anything. Only what no browser runs is ever told: audio, video, images,
 * playlists, subtitles and plain text. HTML, SVG, all XML and what is not known stay
 * application/octet-stream.
 */
export async function sniffMediaType(head: Uint8Array): Promise<string> {
  const byMagic = await magicType(head);
  if (byMagic === undefined) return textType(head) ?? unknown;
  const type = asByName[byMagic] ?? byMagic;
  return /^(?:(?:audio|video|image)\/(?!.*\+xml)|text\/vtt$)/.test(type) ? type : unknown;
}

/** So that the same bytes have the same type with an extension and without. */
const asByName: Readonly<Record<string, string>> = {
  "audio/x-m4a": "audio/mp4",
  "video/matroska": "video/x-matroska",
  "video/vnd.avi": "video/x-msvideo",
};

async function magicType(head: Uint8Array): Promise<string | undefined> {
  // The package needs an end, and by then all of the head has been looked at.
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  // A picture in the tag of an MP3 is often longer than the head, which ends before any frame.
  return found?.mime ?? (startsWith(head, "ID3") ? "audio/mpeg" : undefined);
}

function textType(head: Uint8Array): string | undefined {
  const text = utf8Text(head);
  if (text === undefined || text === "") return undefined;
  if (/^#EXTM3U(?:[ \t\r\n]|$)/.test(text)) {
    return text.includes("#EXT-X-") ? "application/vnd.apple.mpegurl" : "audio/x-mpegurl";
  }
  if (/^\s*\d+[ \t]*\r?\n\d{1,2}:\d\d:\d\d[,.]\d{3} --> /.test(text)) return "application/x-subrip";
  // What may be markup is none of our business: a browser must not get it as anything it runs.
  return /^\s*</.test(text) ? undefined : "text/plain; charset=utf-8";
}

/** Without its byte order mark; undefined for what is no text. */
function utf8Text(head: Uint8Array): string | undefined {
  // A character that the end of the head cuts is no fault, but that of a whole file is.
  const stream = head.length >= limits.sniffMaxBytes;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream });
    return /[^\P{Cc}\t\n\f\r]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function startsWith(head: Uint8Array, ascii: string): boolean {
  return (
    Buffer.from(head.buffer, head.byteOffset, head.byteLength).indexOf(ascii, 0, "latin1") === 0
  );
}

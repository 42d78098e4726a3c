import { describe, expect, test } from "bun:test";
import { limits } from "@dsm/protocol";
import fc from "fast-check";
import { mediaTypeFor } from "./media-type.ts";

describe("mediaTypeFor", () => {
  test.each<[string, string | undefined, string]>([
    ["a.mp4", undefined, "video/mp4"],
    ["x/A.MP4", undefined, "video/mp4"],
    ["a.webm", undefined, "video/webm"],
    ["a.mkv", undefined, "video/x-matroska"],
    ["a.mp3", undefined, "audio/mpeg"],
    ["a.flac", undefined, "audio/flac"],
    ["a.m4v", undefined, "video/mp4"],
    [".mp3", undefined, "audio/mpeg"],
    ["a.", undefined, "application/octet-stream"],
    ["a.jpeg", undefined, "image/jpeg"],
    ["a.m3u8", undefined, "application/vnd.apple.mpegurl"],
    ["mp4", undefined, "application/octet-stream"],
    ["x.mp4/readme", undefined, "application/octet-stream"],
    ["a.mp4", "audio/ogg", "audio/ogg"],
    [
      "a",
      'video/mp4; codecs="avc1.42E01E, mp4a.40.2"',
      'video/mp4; codecs="avc1.42E01E, mp4a.40.2"',
    ],
    ["a.mp4", "application/octet-stream", "video/mp4"],
    ["a.mp4", "application/x-www-form-urlencoded", "video/mp4"],
    ["a.mp4", "", "video/mp4"],
    ["a.mp4", "video", "video/mp4"],
    ["a.mp4", "*/*", "video/mp4"],
    ["a.mp4", "text/html\r\nX-Evil: 1", "video/mp4"],
    ["a.mp4", "text/plain; charset=é", "video/mp4"],
    ["a.mp4", `video/${"x".repeat(limits.mediaTypeMaxChars)}`, "video/mp4"],
  ])("%p declared as %p is %p", (fileId, declared, expected) => {
    expect(mediaTypeFor(fileId, declared)).toBe(expected);
  });

  test("whatever is declared, the result is fit for a header", () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ unit: "binary" }), (fileId, declared) => {
        const type = mediaTypeFor(fileId, declared);
        expect(type.length).toBeLessThanOrEqual(limits.mediaTypeMaxChars);
        expect(new Headers({ "content-type": type }).get("content-type")).toBe(type);
      }),
    );
  });
});

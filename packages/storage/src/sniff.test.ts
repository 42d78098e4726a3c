import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { knownMediaType } from "@dsm/delivery";
import { limits } from "@dsm/protocol";
import { missingTools, tempDir } from "@dsm/testkit";
import fc from "fast-check";
import { sniffMediaType } from "./sniff.ts";

const picture = "-f lavfi -i testsrc2=size=64x64:rate=25:duration=1";
const tone = "-f lavfi -i sine=frequency=440:duration=1";
const still = `${picture} -frames:v 1`;

/** What ffmpeg is told, and the extension that such a file has. */
const recipes: [extension: string, recipe: string][] = [
  ["mp4", `${picture} ${tone} -c:v libx264 -c:a aac -f mp4`],
  ["mp4", `${picture} -c:v libx264 -movflags frag_keyframe+empty_moov -f mp4`],
  ["m4a", `${tone} -c:a aac -f ipod`],
  ["mov", `${picture} -c:v libx264 -f mov`],
  ["webm", `${picture} ${tone} -c:v libvpx -c:a libopus -f webm`],
  ["mkv", `${picture} ${tone} -c:v libx264 -c:a aac -f matroska`],
  ["ts", `${picture} ${tone} -c:v libx264 -c:a aac -f mpegts`],
  ["avi", `${picture} -c:v mpeg4 -f avi`],
  ["ogv", `${picture} -c:v libtheora -f ogg`],
  ["mp3", `${tone} -c:a libmp3lame -id3v2_version 3 -metadata title=T -f mp3`],
  ["mp3", `${tone} -c:a libmp3lame -id3v2_version 0 -f mp3`],
  ["flac", `${tone} -c:a flac -f flac`],
  ["ogg", `${tone} -c:a libvorbis -f ogg`],
  ["opus", `${tone} -c:a libopus -f ogg`],
  ["wav", `${tone} -f wav`],
  ["aac", `${tone} -c:a aac -f adts`],
  ["jpg", `${still} -c:v mjpeg -f image2`],
  ["png", `${still} -c:v png -f image2`],
  ["gif", `${still} -f gif`],
  ["webp", `${still} -c:v libwebp -f webp`],
  ["avif", `${still} -c:v libaom-av1 -still-picture 1 -cpu-used 8 -f avif`],
];

async function made(recipe: string): Promise<Uint8Array> {
  await using dir = await tempDir();
  const path = join(dir.path, "file");
  const cmd = ["ffmpeg", "-nostdin", "-loglevel", "error", ...recipe.split(" "), path];
  const child = Bun.spawn(cmd, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const [said, code] = await Promise.all([child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(said);
  return await Bun.file(path).slice(0, limits.sniffMaxBytes).bytes();
}

const essence = (type: string | undefined) => type?.split(";", 1)[0];

const missing = missingTools("ffmpeg");
const why = missing === undefined ? "" : ` (${missing})`;

describe.skipIf(missing !== undefined)(`real media without a name that says anything${why}`, () => {
  test.each(recipes)("%s by ffmpeg %s", async (extension, recipe) => {
    const sniffed = await sniffMediaType(await made(recipe));
    expect(essence(sniffed)).toBe(essence(knownMediaType(`x.${extension}`)) as string);
  });
});

describe("media that ffmpeg does not make", () => {
  test("an MP3 whose tag is longer than what is looked at", async () => {
    const head = new Uint8Array(limits.sniffMaxBytes);
    head.set(Buffer.from("ID3\x03\x00\x00\x00\x07\x7f\x7f", "latin1"));
    expect(await sniffMediaType(head)).toBe("audio/mpeg");
  });

  test("a picture of an iPhone", async () => {
    const head = Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic", "latin1");
    expect(await sniffMediaType(head)).toBe("image/heic");
  });
});

test.each<[string, string]>([
  ["#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:4,\na.ts\n", "application/vnd.apple.mpegurl"],
  ["\uFEFF#EXTM3U\r\n#EXTINF:4,\r\nsong.mp3\r\n", "audio/x-mpegurl"],
  ["WEBVTT\n\n00:00.000 --> 00:01.000\nhi\n", "text/vtt"],
  ["WEBVTT", "text/vtt"],
  ["1\r\n00:00:00,000 --> 00:00:01,000\r\nhi\r\n", "application/x-subrip"],
  ["grüße\n", "text/plain; charset=utf-8"],
  ["a\0b", "application/octet-stream"],
  ["\x1b[31mred", "application/octet-stream"],
  ["", "application/octet-stream"],
])("text as %p is %s", async (text, type) => {
  expect(await sniffMediaType(Buffer.from(text))).toBe(type);
});

test.each([
  "<!doctype html><script>alert(1)</script>",
  "  \n<html>",
  "\uFEFF<script>",
  "<!-- x --><svg onload=alert(1)>",
  '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
  '<svg xmlns="http://www.w3.org/2000/svg"/>',
  "%PDF-1.7\n",
  "PK\x03\x04",
  "#!/bin/sh\0",
])("what a browser might run stays bytes: %p", async (text) => {
  expect(await sniffMediaType(Buffer.from(text, "utf8"))).toBe("application/octet-stream");
});

test("a character that the end of what is looked at cuts is no fault, that of a file is", async () => {
  const head = Buffer.from(`a${"é".repeat(limits.sniffMaxBytes)}`).subarray(
    0,
    limits.sniffMaxBytes,
  );
  expect(await sniffMediaType(head)).toBe("text/plain; charset=utf-8");
  expect(await sniffMediaType(Buffer.from("é").subarray(0, 1))).toBe("application/octet-stream");
});

test("nothing makes it throw, and nothing comes out as what a browser runs", async () => {
  const magic = fc.constantFrom(
    "",
    "<",
    "ID3",
    "RIFF",
    "OggS",
    "PK\x03\x04",
    "\x1aE\xdf\xa3",
    "MThd",
  );
  await fc.assert(
    fc.asyncProperty(magic, fc.uint8Array({ maxLength: 5000 }), async (start, rest) => {
      const head = Buffer.concat([Buffer.from(start, "latin1"), rest]);
      const type = await sniffMediaType(head.subarray(0, limits.sniffMaxBytes));
      expect(type).not.toMatch(/html|xml|script/);
    }),
    { numRuns: 500 },
  );
});

import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { mustRun } from "./run-tool.ts";

export interface Probed {
  readonly durationS: number;
  /** The codecs of the streams, in order of their names. */
  readonly codecs: readonly string[];
}

/** What ffprobe reads of a medium by its URL. */
export async function ffprobe(url: string): Promise<Probed> {
  const show = ["-show_entries", "format=duration:stream=codec_name", "-of", "json"];
  const { stdout } = await mustRun(["ffprobe", "-v", "error", ...show, url]);
  const probed = JSON.parse(stdout) as {
    format: { duration?: string };
    streams: ReadonlyArray<{ codec_name: string }>;
  };
  return {
    durationS: Number(probed.format.duration ?? 0),
    codecs: probed.streams.map((stream) => stream.codec_name).toSorted(),
  };
}

/**
 * mpv plays with null outputs, as fast as it decodes, seeking on the way.
 * @returns what it reported: each seek after which playback went on, and how the file ended
 */
export async function mpv(url: string, seeksS: readonly number[]): Promise<string[]> {
  const { stdout } = await mustRun([
    "mpv",
    "--no-config",
    "--vo=null",
    "--ao=null",
    "--ao-null-untimed=yes",
    "--untimed",
    // A player that finds its machine too slow says so, which is no fault of the bytes.
    "--msg-level=all=warn,cplayer=error,mpv_seeks=info",
    `--script=${join(import.meta.dir, "mpv-seeks.lua")}`,
    `--script-opts=seeks=${seeksS.join(":")}`,
    url,
  ]);
  return stdout
    .split("\n")
    .map((line) => line.replace(/^\[mpv_seeks\] /, "").trim())
    .filter((line) => line !== "");
}

/**
 * VLC plays a medium to its end, at many times its speed. It refuses to be root, so it is nobody.
 * @returns the decoders that it used, and whether it read to the end
 */
export async function cvlc(url: string): Promise<{ decoders: string[]; reachedEnd: boolean }> {
  await using home = await tempDir();
  await chmod(home.path, 0o777);
  const isRoot = process.getuid?.() === 0;
  const asNobody = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const play = ["--play-and-exit", "--vout=dummy", "--aout=dummy", "--rate=16"];
  const { stderr } = await mustRun([...asNobody, "cvlc", "-vv", "--no-color", ...play, url], {
    HOME: home.path,
  });
  const used = stderr.matchAll(/using (?:video|audio) decoder module "([^"]+)"/g);
  return {
    decoders: [...new Set([...used].map((match) => match[1] ?? ""))].toSorted(),
    reachedEnd: /EOF reached|end of stream/i.test(stderr),
  };
}

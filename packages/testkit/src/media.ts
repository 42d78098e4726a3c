import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const picture = (size: string, seconds: number) =>
  `-f lavfi -i testsrc2=size=${size}:rate=25:duration=${seconds}`;
const tone = (seconds: number) =>
  `-f lavfi -i sine=frequency=440:sample_rate=48000:duration=${seconds}`;
const h264 = "-c:v libx264 -preset ultrafast -crf 35 -pix_fmt yuv420p -g 50 -c:a aac -b:a 96k";

/** What ffmpeg is told for each fixture, without input and output paths. */
const recipes = {
  /** 60 s of 1080p H.264 and AAC, its index (moov) at the front. */
  "moov-front.mp4": `${picture("1920x1080", 60)} ${tone(60)} ${h264} -movflags +faststart`,
  /** The same with the index behind the data, as cameras write it: players must seek for it. */
  "moov-end.mp4": `${picture("1920x1080", 60)} ${tone(60)} ${h264}`,
  "clip.webm":
    `${picture("640x360", 20)} ${tone(20)} -c:v libvpx -deadline realtime -cpu-used 8 -b:v 500k -g 50` +
    " -c:a libopus -b:a 64k",
  "song.mp3": `${tone(30)} -c:a libmp3lame -b:a 128k`,
  "picture.jpg": `${picture("1280x720", 1)} -frames:v 1 -q:v 3`,
} as const;

export type FixtureName = keyof typeof recipes;
export const fixtureNames = Object.keys(recipes) as FixtureName[];

/** Made once for this machine and these recipes; the folder's name is their hash. */
const folder = join(tmpdir(), `dsm-media-${Bun.hash(JSON.stringify(recipes)).toString(16)}`);

/** The path of a real media file, which ffmpeg makes at the first call. */
export async function mediaFixture(name: FixtureName): Promise<string> {
  const path = join(folder, name);
  if (await exists(path)) return path;
  await mkdir(folder, { recursive: true });
  const draft = await mkdtemp(join(folder, "draft-"));
  try {
    await ffmpeg(recipes[name].split(" "), join(draft, name));
    // Two test processes may make it at the same time: the same bytes, and each move is whole.
    await rename(join(draft, name), path);
    return path;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function ffmpeg(args: readonly string[], output: string): Promise<void> {
  const cmd = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", ...args, output];
  const child = Bun.spawn(cmd, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const [code, said] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  if (code !== 0) throw new Error(`${cmd.join(" ")} ended with ${code}: ${said}`);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Why a test that needs these programs cannot run here, or undefined when it can. */
export function missingTools(...names: string[]): string | undefined {
  const missing = names.filter((name) => Bun.which(name) === null);
  return missing.length === 0 ? undefined : `not installed here: ${missing.join(", ")}`;
}

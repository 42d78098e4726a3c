import { join } from "node:path";
import { type DsmClient, fileSource } from "@dsm/client";
import { DsmError, mediaPath } from "@dsm/protocol";

/** The clip that comes with this checkout. */
const samplePath = join(import.meta.dir, "../../../../assets/sample.mp4");
const demoUser = "demo";
const demoFileId = "sample.mp4";

export interface Demo {
  readonly url: string;
}

/** Uploads the sample clip; one that is there from an earlier start stays. Closes the client. */
export async function uploadDemo(
  client: DsmClient,
  http: string,
  signal: AbortSignal,
): Promise<Demo> {
  await using closing = client;
  try {
    const source = await fileSource(samplePath);
    const names = { user: demoUser, fileId: demoFileId };
    await closing.upload({ ...names, source, mediaType: "video/mp4", signal });
  } catch (error) {
    if (!(error instanceof DsmError) || error.code !== "FILE_EXISTS") throw error;
  }
  return { url: `${http}${mediaPath(demoUser, demoFileId)}` };
}

export function demoLines({ url }: Demo): string[] {
  return [
    "",
    "Play the sample:",
    `  mpv ${url}`,
    `  vlc ${url}`,
    `  wget ${url}`,
    `  or open ${url} in a browser`,
    "",
  ];
}

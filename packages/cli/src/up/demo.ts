import { join } from "node:path";
import { type DsmClient, fileSource } from "@dsm/client";
import { DsmError, type LinkKey, LinkKeys, mediaPath, signLink } from "@dsm/protocol";
import { quoted } from "../quoted.ts";

/** The clip that comes with this checkout, and with the single executable: see bin/build. */
const samplePath = join(
  import.meta.dir,
  Bun.isStandaloneExecutable ? "sample.mp4" : "../../../../assets/sample.mp4",
);
const demoUser = "demo";
const demoFileId = "sample.mp4";
const demoLinkTtlMs = 7 * 86_400_000;

export interface Demo {
  readonly url: string;
}

/**
 * Uploads the sample clip; one that is there from an earlier start stays. Closes the client.
 * @param linkKeys where reading needs a signed link
 */
export async function uploadDemo(
  client: DsmClient,
  http: string,
  linkKeys: readonly LinkKey[] | undefined,
  signal: AbortSignal,
): Promise<Demo> {
  await using closing = client;
  const names = { user: demoUser, fileId: demoFileId };
  try {
    const source = await fileSource(samplePath);
    await closing.upload({ ...names, source, mediaType: "video/mp4", signal });
  } catch (error) {
    if (!(error instanceof DsmError) || error.code !== "FILE_EXISTS") throw error;
  }
  if (linkKeys === undefined) return { url: `${http}${mediaPath(demoUser, demoFileId)}` };
  const link = {
    user: demoUser,
    scope: { fileId: demoFileId },
    expiresAtMs: Date.now() + demoLinkTtlMs,
  };
  return { url: `${http}${signLink(new LinkKeys(linkKeys), link).path}` };
}

export function demoLines(demo: Demo): string[] {
  const url = quoted(demo.url);
  return [
    "",
    "Play the sample:",
    `  mpv ${url}`,
    `  vlc ${url}`,
    `  wget ${url}`,
    `  or open ${demo.url} in a browser`,
    "",
  ];
}

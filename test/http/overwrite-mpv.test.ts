import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { mediaPath } from "@dsm/protocol";
import { mediaFixture, missingTools, until } from "@dsm/testkit";
import { Mpv } from "./mpv.ts";
import { fileId, Overwritten, reader } from "./overwritten.ts";
import { RecordingRelay } from "./recording-relay.ts";

setDefaultTimeout(120_000);

const missing = missingTools("mpv", "ffmpeg", "setpriv");
const why = missing === undefined ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== undefined)(`mpv plays a file that is overwritten${why}`, () => {
  let old: Buffer;
  let fresh: Buffer;
  beforeAll(async () => {
    old = await readFile(await mediaFixture("moov-front.mp4"));
    // The same pictures with the index behind them: as long, and every offset holds other bytes.
    fresh = await readFile(await mediaFixture("moov-end.mp4"));
  });

  for (const delivery of ["local", "proxy"] as const) {
    test(`after a seek it has bytes of one version only, delivery ${delivery}`, async () => {
      await using all = await Overwritten.start(delivery, old);
      await using relay = await RecordingRelay.start(all.cluster.gateway.running.port);
      await using mpv = await Mpv.open(
        `http://127.0.0.1:${relay.port}${mediaPath(reader, fileId)}`,
      );
      await until("mpv has the file open", async () => Number(await mpv.property("duration")) > 50);
      const before = await all.etag();
      await all.put(fresh);
      await seekTo45(mpv);
      const seen = relay.seen().filter(({ first }) => first !== undefined);
      expect(seen[0]).toMatchObject({ etag: before, first: 0 });
      // It holds the beginning of the old version, so no later part of the new one may follow.
      const mixed = seen.filter(({ etag, first }) => etag !== before && first !== 0);
      expect(mixed).toEqual([]);
      expect(mpv.said()).not.toMatch(/Error decoding/);
    });
  }

  // FFmpeg since 5.1 comes back to the gateway for each seek: the redirect may not be stored.
  test("redirected, it plays on or gives up, and never decodes what does not belong together", async () => {
    await using all = await Overwritten.start("redirect", old);
    await using mpv = await Mpv.open(all.url);
    await until("mpv has the file open", async () => Number(await mpv.property("duration")) > 50);
    await all.put(fresh);
    await seekTo45(mpv);
    expect(mpv.said()).not.toMatch(/Error decoding/);
  });
});

/** Seeks, plays, and waits until playback has gone on from there or was given up. */
async function seekTo45(mpv: Mpv): Promise<void> {
  await mpv.command("seek", 45, "absolute", "exact");
  await mpv.command("set_property", "pause", false);
  await until("mpv goes on or gives up", async () => {
    const isOver = mpv.hasEnded || mpv.messages.some(({ event }) => event === "end-file");
    return isOver || Number(await mpv.property("time-pos")) > 46;
  });
}

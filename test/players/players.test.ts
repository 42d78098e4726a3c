import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  type FixtureName,
  fixtureNames,
  mariaDbMissing,
  mediaFixture,
  missingTools,
  sharedMariaDb,
} from "@dsm/testkit";
import { playInChromium, showInChromium, startChromium } from "./chromium.ts";
import { curl, curlResumed, sha256Of, wget } from "./downloaders.ts";
import { cvlc, ffprobe, mpv } from "./players.ts";
import { oneProcess, type Road, roadUser, separateProcesses } from "./road.ts";

setDefaultTimeout(180_000);

const needed = ["ffmpeg", "ffprobe", "mpv", "cvlc", "chromium", "wget", "curl", "setpriv"];
const missing = missingTools(...needed);

type Catalog = "SQLite" | "MariaDB";

interface Shape {
  readonly catalog: Catalog;
  readonly name: string;
  /** Every player on every medium; else one of each kind. */
  readonly all: boolean;
  /** The gateway answers with a redirect. */
  readonly sendsElsewhere?: boolean;
  start(catalogUrl: string | undefined): Promise<Road>;
}

const shapes: readonly Shape[] = [
  { catalog: "SQLite", name: "one process", all: true, start: oneProcess },
  { catalog: "MariaDB", name: "one process", all: false, start: oneProcess },
  {
    catalog: "SQLite",
    name: "separate processes, proxied",
    all: true,
    start: (url) => separateProcesses(url, "proxy"),
  },
  {
    catalog: "SQLite",
    name: "separate processes, redirected",
    all: true,
    sendsElsewhere: true,
    start: (url) => separateProcesses(url, "redirect"),
  },
  {
    catalog: "MariaDB",
    name: "separate processes, local",
    all: false,
    start: (url) => separateProcesses(url, "local"),
  },
];

const durationsS: Record<FixtureName, number> = {
  "moov-front.mp4": 60,
  "moov-end.mp4": 60,
  "clip.webm": 20,
  "song.mp3": 30,
  "picture.jpg": 0,
};
const codecs: Record<FixtureName, readonly string[]> = {
  "moov-front.mp4": ["aac", "h264"],
  "moov-end.mp4": ["aac", "h264"],
  "clip.webm": ["opus", "vp8"],
  "song.mp3": ["mp3"],
  "picture.jpg": ["mjpeg"],
};

/** Forward, back, and near the end. */
function seeksOf(name: FixtureName): number[] {
  const durationS = durationsS[name];
  return [durationS * 0.75, durationS * 0.2, durationS * 0.85];
}

for (const shape of shapes) {
  const unable = missing ?? (shape.catalog === "MariaDB" ? mariaDbMissing() : undefined);
  const title = `${shape.catalog}, ${shape.name}${unable === undefined ? "" : ` (${unable})`}`;
  describe.skipIf(unable !== undefined)(`a real video on ${title}`, () => {
    const stack = new AsyncDisposableStack();
    let road: Road;
    const media: readonly FixtureName[] = shape.all ? fixtureNames : ["moov-end.mp4", "clip.webm"];
    const urlOf = (name: FixtureName) => `${road.http}/media/${roadUser}/${name}`;

    beforeAll(async () => {
      const paths = [];
      for (const name of media) paths.push(await mediaFixture(name));
      const server = shape.catalog === "MariaDB" ? await sharedMariaDb() : undefined;
      road = stack.use(await shape.start(await server?.createDatabase()));
      await road.upload(paths);
    });
    afterAll(() => stack.disposeAsync());

    test("the gateway delivers in the way that the shape is there for", async () => {
      const { redirected } = await fetch(urlOf("moov-end.mp4"));
      expect(redirected).toBe(shape.sendsElsewhere ?? false);
    });

    for (const name of media) {
      test(`${name}: wget, curl and a resumed curl get the same bytes`, async () => {
        const sha256 = await sha256Of(await mediaFixture(name));
        expect([await wget(urlOf(name)), await curl(urlOf(name))]).toEqual([sha256, sha256]);
        const resumed = await curlResumed(urlOf(name));
        expect(resumed.sha256).toBe(sha256);
        expect(resumed.resumedBytes).toBeGreaterThan(0);
      });

      test(`${name}: ffprobe reads it by URL`, async () => {
        const probed = await ffprobe(urlOf(name));
        expect(probed.codecs).toEqual([...codecs[name]]);
        expect(Math.abs(probed.durationS - durationsS[name])).toBeLessThan(1);
      });

      if (durationsS[name] === 0) continue;
      test(`${name}: mpv plays it to the end with seeks forward and back`, async () => {
        const seeksS = seeksOf(name);
        expect(await mpv(urlOf(name), seeksS)).toEqual([
          ...seeksS.map((seekS) => `reached ${seekS}`),
          "ended by eof",
        ]);
      });
    }

    if (!shape.all) return;
    for (const name of media) {
      if (durationsS[name] > 0) {
        test(`${name}: VLC decodes it to the end`, async () => {
          const { decoders, reachedEnd } = await cvlc(urlOf(name));
          expect(reachedEnd).toBe(true);
          expect(decoders.length).toBe(codecs[name].length);
        });
      }
    }

    test("Chromium plays and seeks in a page, and shows a picture", async () => {
      await using browser = await startChromium();
      for (const name of media) {
        if (durationsS[name] === 0) {
          expect(await showInChromium(browser, urlOf(name))).toEqual([1280, 720]);
          continue;
        }
        const kind = name === "song.mp3" ? "audio" : "video";
        const played = await playInChromium(browser, urlOf(name), kind, seeksOf(name));
        expect(played.wentOn).toEqual([true, true, true, true]);
        expect(Math.abs(played.durationS - durationsS[name])).toBeLessThan(1);
      }
    });
  });
}

import { describe, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { groupMarkerName } from "@dsm/delivery";
import { blobIdFromNumber, type FileInfo } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { deliveryFor, mayBeLocal } from "./delivery-choice.ts";

function fileOf(group: string, fileId = "a.mp4", mediaType = ""): FileInfo {
  const sha256 = "0".repeat(64);
  const blobId = blobIdFromNumber(1);
  const over = { group, fileId, mediaType, sha256, blobId };
  return { user: "ann", version: 1, sizeBytes: 1, modifiedAtMs: 1, ...over };
}

/** A folder that holds the marker of its group, as a mounted group file system does. */
async function mounted(dir: string, group: string): Promise<string> {
  const root = join(dir, group);
  await mkdir(root);
  await Bun.write(join(root, groupMarkerName), JSON.stringify({ group }));
  return root;
}

describe("the way to deliver", () => {
  test("is that of the group, and else that of the others", async () => {
    await using dir = await tempDir();
    const root = await mounted(dir.path, "g1");
    const byGroup = new Map([
      ["g2", "redirect"],
      ["g3", "proxy"],
    ] as const);
    const delivery = deliveryFor(
      { others: "auto", byGroup },
      new Map([
        ["g1", root],
        ["g2", await mounted(dir.path, "g2")],
        ["g3", await mounted(dir.path, "g3")],
      ]),
    );
    expect(await delivery.wayOf(fileOf("g1"))).toEqual({ kind: "local", root });
    expect(await delivery.wayOf(fileOf("g2"))).toEqual({ kind: "redirect" });
    expect(await delivery.wayOf(fileOf("g3"))).toEqual({ kind: "proxy" });
    expect(await delivery.wayOf(fileOf("g4"))).toEqual({ kind: "proxy" });
  });

  test("is never a redirect for what names other files by relative URLs", async () => {
    await using dir = await tempDir();
    const root = await mounted(dir.path, "g1");
    const { wayOf } = deliveryFor("redirect", new Map([["g1", root]]));
    for (const fileId of ["a.m3u8", "a.mpd", "a.html", "a.svg", "a.vtt", "a.xml"]) {
      expect([fileId, await wayOf(fileOf("g1", fileId))]).toEqual([
        fileId,
        { kind: "local", root },
      ]);
      expect(await wayOf(fileOf("g2", fileId))).toEqual({ kind: "proxy" });
    }
    for (const mediaType of [
      "application/x-mpegURL",
      "audio/mpegurl",
      "text/html; charset=utf-8",
    ]) {
      expect(await wayOf(fileOf("g2", "a", mediaType))).toEqual({ kind: "proxy" });
    }
    for (const fileId of ["a.mp4", "a.ts", "a.mp3", "a.jpg", "a.zip", "a.txt", "a.srt", "a"]) {
      expect([fileId, await wayOf(fileOf("g1", fileId))]).toEqual([fileId, { kind: "redirect" }]);
    }
  });

  test("local says what to do where nothing, or something else, is mounted", async () => {
    await using dir = await tempDir();
    const roots = new Map([["g1", dir.path]]);
    const { wayOf } = deliveryFor("local", roots);
    for (const group of ["g1", "g2"]) {
      await expect(wayOf(fileOf(group))).rejects.toMatchObject({ code: "GROUP_UNAVAILABLE" });
    }
    expect(await deliveryFor("auto", roots).wayOf(fileOf("g1"))).toEqual({ kind: "proxy" });
  });

  test("may be local where a mounted group is neither proxied nor redirected", () => {
    const mounts = new Map([["g1", "/mnt/g1"]]);
    const but = (mode: "local" | "redirect") =>
      ({ others: "proxy", byGroup: new Map([["g1", mode]]) }) as const;
    expect([mayBeLocal("auto", mounts), mayBeLocal(but("local"), mounts)]).toEqual([true, true]);
    expect([mayBeLocal("proxy", mounts), mayBeLocal(but("redirect"), mounts)]).toEqual([
      false,
      false,
    ]);
    expect(mayBeLocal("auto", new Map())).toBe(false);
  });
});

import { expect, setDefaultTimeout, test } from "bun:test";
import { mediaPath } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import { contentOf } from "./move-load.ts";
import { blobsOnDisk, Scene, user } from "./move-scene.ts";

setDefaultTimeout(60_000);

test("a reader whose old bytes are gone reads on from the new ones", async () => {
  await using scene = await Scene.open({ trashGraceMs: 0, reapIntervalMs: 20 });
  const { client, load } = scene;
  const content = contentOf("film", 3_000_000);
  await load.put("film", content);
  const { body } = await client.open({ user, fileId: "film" });
  const pieces: Uint8Array[] = [];
  for await (const piece of body) {
    pieces.push(piece);
    if (pieces.length > 1) continue;
    await client.assign(user, "g2");
    await until("the old blob is gone", async () => {
      const usage = await client.usage(user);
      return usage.trashBlobs === 0 && (await client.stat(user, "film")).group === "g2";
    });
  }
  expect(Buffer.concat(pieces).equals(content)).toBe(true);
});

test("a reader that resumes without If-Range sees no difference", async () => {
  await using scene = await Scene.open();
  const { cluster, client, load } = scene;
  const content = contentOf("film", 3_000_000);
  await load.put("film", content);
  const url = `${cluster.http}${mediaPath(user, "film")}`;
  const first = await fetch(url, { headers: { Range: "bytes=0-999999" } });
  const head = await first.bytes();
  await client.assign(user, "g2");
  await scene.moved();
  const rest = await fetch(url, { headers: { Range: "bytes=1000000-" } });
  expect([rest.status, rest.headers.get("ETag")]).toEqual([206, first.headers.get("ETag")]);
  expect(rest.headers.get("Last-Modified")).toBe(first.headers.get("Last-Modified"));
  expect(Buffer.concat([head, await rest.bytes()]).equals(content)).toBe(true);
});

test("a user who overwrites what is being copied wins, and nothing is left of the copy", async () => {
  await using scene = await Scene.open({ moveBytesPerSecond: 3_000_000 });
  const { cluster, client, load } = scene;
  await load.put("film", contentOf("film", 6_000_000));
  await client.assign(user, "g2");
  const there = () => blobsOnDisk(cluster.groupRoot("g2"));
  await until("it is being copied", async () => (await there()).length > 0);
  const { group, version } = await load.put("film", contentOf("another", 500));
  expect([group, version]).toEqual(["g2", 2]);
  await scene.moved();
  await until("the copy is gone", async () => (await there()).length === 1);
  expect((await client.stat(user, "film")).version).toBe(2);
  const got = await fetch(`${cluster.http}${mediaPath(user, "film")}`);
  expect(Buffer.from(await got.bytes()).equals(load.model.get("film")!)).toBe(true);
});

test("files together move no faster than they may", async () => {
  await using scene = await Scene.open({ moveBytesPerSecond: 4_000_000 });
  const { client, load } = scene;
  for (let i = 0; i < 9; i++) await load.put(`f${i}`, contentOf(`${i}`, 500_000));
  const beganMs = performance.now();
  await client.assign(user, "g2");
  await scene.moved();
  // The first goes at once, and the others an eighth of a second one behind the other.
  expect(performance.now() - beganMs).toBeGreaterThan(950);
});

import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { advisedOptions } from "./advised-options.ts";
import { bricksOf, isSameValue, optionsInForce, volumeAt } from "./volume.ts";

test("the volume below a path: the innermost mount, the latest of two at one place", () => {
  const mounts = `/dev/vda / ext4 rw 0 0
st1:/g1 /mnt/g1 fuse.glusterfs rw,relatime 0 0
st1:/my\\040vol/sub /mnt/with\\040space fuse.glusterfs rw 0 0
tmpfs /mnt/g1/inner tmpfs rw 0 0
st1:/old /mnt/g2 fuse.glusterfs rw 0 0
/dev/vdb /mnt/g2 xfs rw 0 0
`;
  expect(volumeAt("/mnt/g1", mounts)).toEqual({ volume: "g1", at: "/mnt/g1" });
  expect(volumeAt("/mnt/g1/deep/in", mounts)?.volume).toBe("g1");
  for (const path of ["/mnt/g1/inner", "/mnt/g10", "/mnt/g2", "/home"]) {
    expect(volumeAt(path, mounts)).toBeUndefined();
  }
  expect(volumeAt("/mnt/with space/x", mounts)?.at).toBe("/mnt/with space");
});

test("every line of the table that prepare-group sets is read", async () => {
  const path = resolve(import.meta.dir, "../../../../../deploy/glusterfs/volume-options");
  const table = await readFile(path, "utf8");
  const lines = table.split("\n").filter((line) => /^[a-z]/.test(line));
  expect(advisedOptions).toHaveLength(lines.length);
  expect(advisedOptions.find(({ name }) => name === "network.ping-timeout")).toMatchObject({
    value: "5",
  });
});

test("options as GlusterFS 10 prints them, and bricks, of which one is down", () => {
  const options = optionsInForce(`Option                                   Value
------                                   -----
cluster.lookup-optimize                  on (DEFAULT)
cluster.subvols-per-directory            (null) (DEFAULT)
performance.cache-size                   64MB
`);
  expect(Object.fromEntries(options)).toEqual({
    "cluster.lookup-optimize": "on",
    "cluster.subvols-per-directory": "(null)",
    "performance.cache-size": "64MB",
  });
  expect([isSameValue("true", "on"), isSameValue("64mb", "64MB"), isSameValue("5", "42")]).toEqual([
    true,
    true,
    false,
  ]);
  const bricks = bricksOf(`Brick st1:/mnt/g1
Status: Connected
Total Number of entries: 7
Number of entries in heal pending: 5
Number of entries in split-brain: 2
Number of entries possibly healing: 0

Brick st2:/mnt/g1
Status: Transport endpoint is not connected
Total Number of entries: -
Number of entries in heal pending: -
Number of entries in split-brain: -
Number of entries possibly healing: -
`);
  expect(bricks).toEqual([
    { brick: "st1:/mnt/g1", waiting: 7, split: 2 },
    { brick: "st2:/mnt/g1" },
  ]);
});

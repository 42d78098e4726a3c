import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Software } from "../processes/dsm-processes.ts";

/** Versions that ./freeze has kept, oldest first. */
export const frozenVersions = ["0.1.0"] as const;
export type FrozenVersion = (typeof frozenVersions)[number];

export interface Frozen extends AsyncDisposable {
  readonly version: FrozenVersion;
  readonly software: Software;
}

/** Unpacks a kept version. It runs until the scope ends. */
export async function unpackFrozen(version: FrozenVersion): Promise<Frozen> {
  const packed = await Bun.file(join(import.meta.dir, `dsm-${version}.tar.zst`)).bytes();
  const dir = await mkdtemp(join(tmpdir(), "dsm-frozen-"));
  await new Bun.Archive(await Bun.zstdDecompress(packed)).extract(dir);
  return {
    version,
    software: [process.execPath, join(dir, "src", "dsm.js")],
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  };
}

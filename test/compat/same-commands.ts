import { expect } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import type { DsmProcesses, Software } from "../processes/dsm-processes.ts";

/** The JSON that a command prints. @throws Error with its stderr when it fails */
export async function jsonOf<T>(
  cluster: DsmProcesses,
  software: Software,
  ...args: string[]
): Promise<T> {
  const { code, stdout, stderr } = await cluster.runWith(software, ...args, "--json");
  if (code !== 0) throw new Error(`dsm ${args.join(" ")} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/**
 * What every version has been able to do since the first: run with one version's `dsm` against a
 * cluster of another.
 */
export async function tryCommands(cluster: DsmProcesses, software: Software): Promise<void> {
  await using dir = await tempDir();
  const film = join(dir.path, "film.mp4");
  const copy = join(dir.path, "copy.mp4");
  const first = crypto.getRandomValues(new Uint8Array(60_000));
  const second = crypto.getRandomValues(new Uint8Array(50_000));
  const ask = <T>(...args: string[]) => jsonOf<T>(cluster, software, ...args);
  const code = async (...args: string[]) => (await cluster.runWith(software, ...args)).code;
  const ann = ["--user", "ann"];

  await writeFile(film, first);
  await ask("upload", film, ...ann);
  expect(await code("upload", film, ...ann)).toBe(4);
  await writeFile(film, second);
  await ask("upload", film, ...ann, "--overwrite");
  await ask("download", "film.mp4", ...ann, "-o", copy);
  expect(await readFile(copy)).toEqual(Buffer.from(second));
  const seen = await ask<{ sizeBytes: number }>("stat", "film.mp4", ...ann);
  expect(seen).toMatchObject({ user: "ann", fileId: "film.mp4", sizeBytes: second.length });
  const listed = await ask<{ files: Array<{ fileId: string }> }>("list", ...ann);
  expect(listed.files.map(({ fileId }) => fileId)).toEqual(["film.mp4"]);
  const status = await ask<{ groups: Array<{ members: unknown[] }> }>("status");
  expect(status.groups[0]?.members.length).toBe(cluster.storages.length);
  expect(await ask("usage", ...ann)).toMatchObject({ liveFiles: 1, liveBytes: second.length });

  await ask("delete", "film.mp4", ...ann);
  expect(await code("stat", "film.mp4", ...ann)).toBe(3);
  const trash = await ask<{ blobs: unknown[] }>("trash", "list", ...ann);
  expect(trash.blobs.length).toBe(2);
  await ask("trash", "restore", "film.mp4", ...ann);
  expect(await ask("stat", "film.mp4", ...ann)).toMatchObject({ sizeBytes: second.length });
  await ask("delete", "film.mp4", ...ann);
}

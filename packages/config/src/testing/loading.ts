import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DsmError } from "@dsm/protocol";

export const secret = "s".repeat(32);
export const trackerEnv = { DSM_SECRET: secret, DSM_CATALOG: "sqlite:/tmp/x.db" };
export const storageEnv = {
  ...trackerEnv,
  DSM_TRACKERS: "a:1,b:2",
  DSM_ID_SERVERS: "c:3",
  DSM_ID: "s1",
  DSM_GROUP: "g1",
  DSM_ROOT: "/mnt/g1",
};

export async function configFile(
  dir: { path: string },
  text: string,
  mode = 0o600,
): Promise<string> {
  const path = join(dir.path, "dsm.toml");
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

export async function refusal(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => "it was taken",
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DsmError)) throw error;
  return `${error.code}: ${error.message}; ${error.remedy}`;
}

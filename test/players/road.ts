import { join, resolve } from "node:path";
import { startProcess, tempDir } from "@dsm/testkit";
import { mustRun } from "./run-tool.ts";
import { DsmProcesses } from "../processes/dsm-processes.ts";

const dsm = resolve(import.meta.dir, "../../bin/dsm");

/** A running cluster of whatever shape: where its gateway is, and how the CLI puts files there. */
export interface Road extends AsyncDisposable {
  readonly http: string;
  upload(paths: readonly string[]): Promise<void>;
}

export const roadUser = "viewer";

/** `dsm up`: all roles in one process. */
export async function oneProcess(catalogUrl: string | undefined): Promise<Road> {
  const stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const data = join(dir.path, "data");
  const catalog = catalogUrl === undefined ? [] : ["--catalog", catalogUrl];
  const up = stack.use(
    await startProcess({
      cmd: [dsm, "up", "--data", data, "--http", "127.0.0.1:0", "--json", ...catalog],
      ready: /"http":"([^"]+)"/,
    }),
  );
  const { trackers } = JSON.parse(up.stdout()) as { trackers: string[] };
  const find = ["--tracker", trackers.join(","), "--secret-file", join(data, "secret")];
  return {
    http: up.readyMatch?.[1] ?? "",
    upload: async (paths) => {
      await mustRun([dsm, "upload", ...paths, "--user", roadUser, ...find]);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** `dsm tracker`, `dsm id`, `dsm storage` and `dsm gateway`, each a process. */
export async function separateProcesses(
  catalogUrl: string | undefined,
  delivery: "local" | "redirect" | "proxy",
): Promise<Road> {
  const shape = { delivery, ...(catalogUrl === undefined ? {} : { catalogUrl }) };
  const cluster = await DsmProcesses.start(shape);
  return {
    http: cluster.http,
    upload: async (paths) => {
      await mustRun([dsm, "upload", ...paths, "--user", roadUser], cluster.env);
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

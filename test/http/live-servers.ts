import { readFile } from "node:fs/promises";
import { clusterSecret, type Intent, mediaPath, signCapability } from "@dsm/protocol";
import { DsmProcesses } from "../processes/dsm-processes.ts";
import { noise } from "./placed-file.ts";
import { type Answer, Wire, WireError } from "./wire.ts";

export const liveUser = "ann";
export const liveFile = { fileId: "clip.mp4", content: noise(20_000, 9) };

/** A server as its own process, so that its memory and its death can be seen. */
export interface LiveServer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** The fields, with their ends, that give the right to do this. */
  rights(intent: Intent): string;
}

/** Processes of a whole cluster: its gateway and its storage are what hostile bytes go to. */
export class LiveServers implements AsyncDisposable {
  readonly cluster: DsmProcesses;
  readonly all: readonly LiveServer[];

  private constructor(cluster: DsmProcesses) {
    this.cluster = cluster;
    const secret = clusterSecret(cluster.secret);
    const [storage] = cluster.storages;
    if (storage === undefined) throw new Error("the cluster has no storage");
    const server = (
      name: string,
      { endpoint, pid }: typeof storage,
      rights: LiveServer["rights"],
    ) => ({
      name,
      port: Number(endpoint.split(":").at(-1)),
      pid,
      rights,
    });
    const capability = (intent: Intent) => {
      const expiresAtMs = Date.now() + 600_000;
      const claims = { intent, user: liveUser, group: "g1", expiresAtMs };
      return `Authorization: Bearer ${signCapability(secret, claims)}\r\n`;
    };
    this.all = [
      server("gateway", cluster.gateway, () => ""),
      server("storage", storage, capability),
    ];
  }

  static async start(delivery: "local" | "proxy"): Promise<LiveServers> {
    const cluster = await DsmProcesses.start({ delivery, storages: 1, trackers: 1 });
    const path = mediaPath(liveUser, liveFile.fileId);
    const body = liveFile.content.slice(0, liveFile.content.sizeBytes);
    const put = await fetch(`${cluster.http}${path}`, { method: "PUT", body });
    if (put.status !== 201) throw new Error(`the upload failed: ${put.status} ${await put.text()}`);
    return new LiveServers(cluster);
  }

  named(name: string): LiveServer {
    const found = this.all.find((server) => server.name === name);
    if (found === undefined) throw new Error(`there is no server ${name}`);
    return found;
  }

  /** The file ids that the cluster has of the user. */
  async fileIds(): Promise<string[]> {
    const url = `${this.cluster.http}/api/v1/files?user=${liveUser}&limit=1000`;
    const { files } = (await (await fetch(url)).json()) as { files: Array<{ fileId: string }> };
    return files.map(({ fileId }) => fileId);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]();
  }
}

/** For a request that is whole and right: its answer comes, however slow the machine. */
export const patient = 10_000;

/**
 * What the server says to these bytes, or "closed" when it says nothing and ends.
 * @param patienceMs until a server that says nothing is told that nothing more comes
 */
export async function said(
  { port }: LiveServer,
  bytes: string | Uint8Array,
  method = "GET",
  patienceMs = 250,
): Promise<Answer | "closed"> {
  await using wire = await Wire.connect(port);
  wire.send(bytes);
  const answer = wire.answer(method).catch((error: unknown) => {
    if (error instanceof WireError) return "closed" as const;
    throw error;
  });
  // Who waits for more is told by the end of the connection that nothing comes. Not before: to some
  // servers the end of this half means that nobody waits for an answer.
  const waited = Bun.sleep(patienceMs).then(() => true);
  const isSilent = await Promise.race([answer.then(() => false), waited]);
  if (isSilent) wire.finish();
  return answer;
}

/** A refusal is a 4xx, or the two 5xx that speak of the request and not of the server. */
export function isRefused(answer: Answer | "closed"): boolean {
  if (answer === "closed") return true;
  return (answer.status >= 400 && answer.status < 500) || [501, 505].includes(answer.status);
}

/** It still serves, and what it serves is right. */
export async function assertServes(server: LiveServer): Promise<void> {
  const path = mediaPath(liveUser, liveFile.fileId);
  const request = `GET ${path} HTTP/1.1\r\nHost: x\r\n${server.rights("read")}\r\n`;
  const answer = await said(server, request);
  const { content } = liveFile;
  if (
    answer === "closed" ||
    answer.status !== 200 ||
    !answer.body.equals(content.slice(0, 20_000))
  ) {
    throw new Error(
      `${server.name} does not serve any more: ${JSON.stringify(answer).slice(0, 300)}`,
    );
  }
}

/** The memory that a process holds now, in KiB. */
export async function rssKib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]);
}

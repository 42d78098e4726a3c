export interface CurlResult {
  readonly exitCode: number;
  /** 0 when no answer came. */
  readonly status: number;
  /** Names in lower case; every line of a name counts. */
  readonly headers: Record<string, string[]>;
  readonly body: Buffer;
}

/**
 * Runs curl as a process of its own, so that a server in this one can answer. It speaks HTTP/1.1
 * unless told otherwise, and trusts any certificate.
 */
export async function curl(...args: string[]): Promise<CurlResult> {
  const report = "%{stderr}%{http_code}\n%{header_json}";
  const command = ["curl", "-s", "-k", "--http1.1", "--max-time", "15", "-w", report, ...args];
  const process = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [body, said, exitCode] = await Promise.all([
    process.stdout.bytes(),
    process.stderr.text(),
    process.exited,
  ]);
  const [status = "0", ...json] = said.split("\n");
  const headers: Record<string, string[]> = JSON.parse(json.join("\n") || "{}");
  return { exitCode, status: Number(status), headers, body: Buffer.from(body) };
}

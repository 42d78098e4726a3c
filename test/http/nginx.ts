import { mkdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { startProcess, tempDir, until } from "@dsm/testkit";
import type { Placing } from "./placed-file.ts";
import { Wire } from "./wire.ts";

/** Debian keeps daemons where the PATH of a plain user does not look. */
function program(): string | null {
  return Bun.which("nginx", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin` });
}

/** Why no nginx can be started here; undefined when one can. For `describe.skipIf`. */
export function nginxMissing(): string | undefined {
  return program() === null ? "nginx is not installed (apt install nginx)" : undefined;
}

/** A private nginx with Debian's own defaults for all that decides an answer. */
export interface Nginx extends AsyncDisposable {
  readonly port: number;
  place(placing: Pick<Placing, "fileId" | "content" | "modifiedAtMs">): Promise<void>;
}

const startTriesMax = 3;

export async function startNginx(): Promise<Nginx> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await tempDir());
  const files = join(folder, "files");
  await mkdir(files);
  for (let tries = 1; ; tries++) {
    const port = freePort();
    const config = join(folder, "nginx.conf");
    await Bun.write(config, configOf(folder, files, port));
    const cmd = [program() ?? "nginx", "-p", folder, "-e", join(folder, "error.log"), "-c", config];
    const server = stack.use(await startProcess({ cmd }));
    const ended = server.exited.then(() => false);
    if (await Promise.race([ended, until("nginx answers", () => answers(port))])) {
      const owned = stack.move();
      return {
        port,
        async place({ fileId, content, modifiedAtMs }) {
          const path = join(files, fileId);
          await content.writeTo(path);
          const modifiedAtS = Math.floor(modifiedAtMs / 1000);
          await utimes(path, modifiedAtS, modifiedAtS);
        },
        [Symbol.asyncDispose]: () => owned.disposeAsync(),
      };
    }
    // Somebody else may have taken the port meanwhile.
    if (tries === startTriesMax) throw new Error(`nginx ended: ${server.stderr()}`);
  }
}

function configOf(folder: string, files: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${join(folder, name)};`)
    .join("\n");
  // One process that the test can end; root's workers would lose the right to the folder.
  return `daemon off;
master_process off;
${process.getuid?.() === 0 ? "user root;" : ""}
pid ${join(folder, "pid")};
events { worker_connections 64; }
http {
  access_log off;
${temporary}
  default_type application/octet-stream;
  keepalive_requests 1000000;
  large_client_header_buffers 4 64k;
  sendfile on;
  server { listen 127.0.0.1:${port}; root ${files}; }
}
`;
}

/** nginx takes no port 0, so ask the system for one and give it back. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

async function answers(port: number): Promise<boolean> {
  try {
    await using wire = await Wire.connect(port);
    const answer = await wire.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET");
    return answer.status > 0;
  } catch {
    return false;
  }
}

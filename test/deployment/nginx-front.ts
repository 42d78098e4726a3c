import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { runTool, startProcess, tempDir, until } from "@dsm/testkit";

const shipped = resolve(import.meta.dir, "../../deploy/nginx/dsm.conf");

/** Debian keeps daemons where the PATH of a plain user does not look. */
function program(): string | null {
  return Bun.which("nginx", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin` });
}

/** Why no nginx can be started here; undefined when one can. For `describe.skipIf`. */
export function nginxMissing(): string | undefined {
  return program() === null ? "nginx is not installed (apt install nginx)" : undefined;
}

export interface NginxFront extends AsyncDisposable {
  /** `http://127.0.0.1:…` */
  readonly url: string;
  /** What it says of uploads that it kept on its disk before it passed them on. */
  buffered(): Promise<string[]>;
}

/** The configuration of deploy/nginx before the given gateways; only places are changed in it. */
export async function startNginxFront(gateways: readonly string[]): Promise<NginxFront> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await tempDir());
  const port = freePort();
  await Bun.write(join(folder, "dsm.conf"), await placed(folder, port, gateways));
  await Bun.write(join(folder, "nginx.conf"), around(folder));
  const args = ["-p", folder, "-e", join(folder, "error.log"), "-c", join(folder, "nginx.conf")];
  const cmd = [program() ?? "nginx", ...args];
  await runTool([...cmd, "-t", "-q"]);
  const server = stack.use(await startProcess({ cmd }));
  const url = `http://127.0.0.1:${port}`;
  await until("nginx answers", async () => {
    if (!server.isRunning()) throw new Error(`nginx ended: ${server.stderr()}`);
    return fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  const owned = stack.move();
  return {
    url,
    buffered: async () => {
      const error = await readFile(join(folder, "error.log"), "utf8");
      return error.split("\n").filter((line) => line.includes("buffered to a temporary file"));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** @throws Error when the configuration no longer says what is to be put elsewhere */
async function placed(folder: string, port: number, gateways: readonly string[]): Promise<string> {
  let text = await readFile(shipped, "utf8");
  const server = (host: string) => `  server ${host} max_fails=1 fail_timeout=2s;\n`;
  const replace = (from: string, to: string) => {
    if (!text.includes(from)) throw new Error(`${shipped} does not say ${from}`);
    text = text.replace(from, to);
  };
  replace(
    server("10.0.0.21:8080") + server("10.0.0.22:8080"),
    gateways.map((host) => server(host)).join(""),
  );
  replace("/var/cache/nginx/dsm", join(folder, "cache"));
  replace("listen 80;", `listen 127.0.0.1:${port};`);
  return text;
}

/** What Debian's nginx.conf says around conf.d/, for one process that the test can end. */
function around(folder: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${join(folder, name)};`)
    .join("\n");
  return `daemon off;
master_process off;
${process.getuid?.() === 0 ? "user root;" : ""}
pid ${join(folder, "pid")};
error_log ${join(folder, "error.log")} warn;
events { worker_connections 512; }
http {
  access_log off;
${temporary}
  include ${join(folder, "dsm.conf")};
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

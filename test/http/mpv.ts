import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type TestProcess, startProcess, tempDir, until } from "@dsm/testkit";

interface Message {
  readonly request_id?: number;
  readonly error?: string;
  readonly data?: unknown;
  readonly event?: string;
  readonly reason?: string;
}

/** mpv without picture and sound, told by its socket what to do. */
export class Mpv implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #process: TestProcess;
  readonly #socket: Socket;
  readonly messages: Message[] = [];
  #lastId = 0;
  #rest = "";

  private constructor(stack: AsyncDisposableStack, process: TestProcess, socket: Socket) {
    this.#stack = stack;
    this.#process = process;
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("data", (data) => {
      const lines = (this.#rest + data.toString()).split("\n");
      this.#rest = lines.pop() ?? "";
      this.messages.push(...lines.map((line) => JSON.parse(line) as Message));
    });
  }

  /** Opens a URL, paused at its start, with a buffer so small that a seek must ask the server. */
  static async open(url: string): Promise<Mpv> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const path = join(dir.path, "socket");
    const buffer = [
      "--demuxer-max-bytes=512KiB",
      "--demuxer-max-back-bytes=64KiB",
      "--cache-secs=1",
    ];
    const cmd = [
      "mpv",
      "--no-config",
      "--vo=null",
      "--ao=null",
      "--pause",
      "--keep-open=no",
      ...buffer,
    ];
    const process = stack.use(
      await startProcess({ cmd: [...cmd, `--input-ipc-server=${path}`, url] }),
    );
    const socket = await until("mpv listens", () => connected(path));
    return new Mpv(stack.move(), process, socket);
  }

  /** Whether mpv has ended, by itself. */
  get hasEnded(): boolean {
    return this.#socket.destroyed || this.#socket.readableEnded;
  }

  /** Undefined where mpv has no such thing now. */
  async property(name: string): Promise<unknown> {
    return (await this.command("get_property", name))?.data;
  }

  /** @returns undefined when mpv ended instead of answering */
  async command(...command: unknown[]): Promise<Message | undefined> {
    const id = ++this.#lastId;
    this.#socket.write(`${JSON.stringify({ command, request_id: id })}\n`);
    const answer = () => this.messages.find((message) => message.request_id === id);
    await until("mpv answers", () => answer() !== undefined || this.hasEnded);
    return answer();
  }

  said(): string {
    return this.#process.stdout() + this.#process.stderr();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.#stack.disposeAsync();
  }
}

function connected(path: string): Promise<Socket | undefined> {
  const { promise, resolve } = Promise.withResolvers<Socket | undefined>();
  const socket = connect({ path }, () => resolve(socket));
  socket.once("error", () => resolve(undefined));
  return promise;
}

import type { Socket } from "bun";

interface Line {
  readonly client: Socket<Line | undefined>;
  server?: Socket<Line>;
  /** Bytes from the client until the server is reached. */
  early: Uint8Array[];
  state: "open" | "swallowing" | "forgotten";
}

/** A network between a client and a server on this host that can fail in ways a server cannot. */
export interface Proxy extends Disposable {
  readonly port: number;
  /** From now on all connections take everything and give nothing, and never end. */
  swallow(): void;
  /** New connections get through again; those that swallow go on doing so. */
  heal(): void;
  /** Connections that there are end when the client uses them next, as a firewall does it. */
  forget(): void;
  /**
   * The next time that a client says this, the server hears it, and its answer is lost: in silence
   * with everything after it, as by `swallow`, or with the connection.
   */
  loseAnswerTo(text: string, how: "in silence" | "with the connection"): void;
}

// Both ends are on this host and messages are small, so a socket that takes less would be a bug.
function send(socket: Socket<Line> | Socket<Line | undefined>, bytes: Uint8Array): void {
  if (socket.write(bytes) < bytes.byteLength) throw new Error("the proxy's socket is full");
}

export function startProxy(serverPort: number): Proxy {
  const lines = new Set<Line>();
  let swallowing = false;
  let loss: { readonly text: string; readonly silently: boolean } | undefined;

  function connect(line: Line): void {
    void Bun.connect<Line>({
      hostname: "127.0.0.1",
      port: serverPort,
      data: line,
      socket: {
        open(server) {
          line.server = server;
          for (const bytes of line.early) send(server, bytes);
          line.early = [];
        },
        data(_server, bytes) {
          if (line.state === "open") send(line.client, bytes);
        },
        close() {
          if (line.state === "open") line.client.end();
        },
      },
    });
  }

  const listener = Bun.listen<Line | undefined>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(client) {
        const line: Line = { client, early: [], state: swallowing ? "swallowing" : "open" };
        client.data = line;
        lines.add(line);
        if (!swallowing) connect(line);
      },
      data(client, bytes) {
        const line = client.data;
        if (line === undefined || line.state === "swallowing") return;
        if (line.state === "forgotten") client.terminate();
        else if (line.server === undefined) line.early.push(bytes);
        else send(line.server, bytes);
        if (loss === undefined || !Buffer.from(bytes).includes(loss.text)) return;
        if (loss.silently) swallow();
        else line.client.terminate();
        loss = undefined;
      },
      close(client) {
        const line = client.data;
        if (line === undefined) return;
        lines.delete(line);
        // What it has heard it still does.
        line.server?.end();
      },
    },
  });

  const setAll = (state: Line["state"]) => {
    for (const line of lines) line.state = state;
  };
  function swallow(): void {
    swallowing = true;
    setAll("swallowing");
  }
  return {
    port: listener.port,
    swallow,
    heal() {
      swallowing = false;
    },
    forget: () => setAll("forgotten"),
    loseAnswerTo(text, how) {
      loss = { text, silently: how === "in silence" };
    },
    [Symbol.dispose]() {
      for (const line of lines) line.client.terminate();
      listener.stop(true);
    },
  };
}

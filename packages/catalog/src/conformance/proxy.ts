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
}

// Both ends are on this host and messages are small, so a socket that takes less would be a bug.
function send(socket: Socket<Line> | Socket<Line | undefined>, bytes: Uint8Array): void {
  if (socket.write(bytes) < bytes.byteLength) throw new Error("the proxy's socket is full");
}

export function startProxy(serverPort: number): Proxy {
  const lines = new Set<Line>();
  let swallowing = false;

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
      },
      close(client) {
        const line = client.data;
        if (line === undefined) return;
        lines.delete(line);
        line.server?.end();
      },
    },
  });

  const setAll = (state: Line["state"]) => {
    for (const line of lines) line.state = state;
  };
  return {
    port: listener.port,
    swallow() {
      swallowing = true;
      setAll("swallowing");
    },
    heal() {
      swallowing = false;
    },
    forget: () => setAll("forgotten"),
    [Symbol.dispose]() {
      for (const line of lines) line.client.terminate();
      listener.stop(true);
    },
  };
}

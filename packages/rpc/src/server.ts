import {
  type ClusterSecret,
  DsmError,
  limits,
  messages,
  type Role,
  systemErrorCode,
} from "@dsm/protocol";
import { formatEndpoint } from "./endpoint.ts";
import { createDispatch, type Dispatch, type RpcHandlers } from "./handlers.ts";
import { draining } from "./reply.ts";
import { ServerConnection } from "./server-connection.ts";

export interface RpcServerOptions {
  readonly hostname: string;
  /** 0 is any free port. */
  readonly port: number;
  readonly role: Role;
  readonly secret: ClusterSecret;
  readonly handlers: RpcHandlers;
  /** Told of refused connections and of handlers that threw what is no DsmError. */
  readonly onFault?: (error: DsmError, peer: string) => void;
  readonly connectionsMax?: number;
  /** A stranger who has not proved the secret by then is cut off. */
  readonly handshakeTimeoutMs?: number;
  /** From the begin of a drain until the port closes, while pings fail; none unless given. */
  readonly drainDelayMs?: number | undefined;
}

export interface RpcServer extends AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  /** host:port, an IPv6 host in brackets. */
  readonly endpoint: string;
  /** How many connections are open right now. */
  readonly connections: number;
  /**
   * Answers pings with DRAINING for `drainDelayMs`, so that who checks it turns to another. Then
   * it accepts no one any more, answers what is in flight, the rest with DRAINING, and closes.
   */
  drain(): Promise<void>;
  /** Cuts everything at once, as if the process had died. */
  kill(): void;
}

/**
 * Answers requests of those who prove the cluster secret.
 * @throws DsmError ADDRESS_IN_USE, FORBIDDEN or BAD_CONFIG when it cannot listen there
 */
export function serveRpc(options: RpcServerOptions): RpcServer {
  const connections = new Set<ServerConnection>();
  const leaving = { isSaid: false };
  const listener = listen(options, connections, leaving);
  const { hostname, port } = listener;
  let drained: Promise<void> | undefined;
  const leave = async () => {
    leaving.isSaid = true;
    if (options.drainDelayMs !== undefined) await Bun.sleep(options.drainDelayMs);
  };
  const kill = () => {
    for (const connection of connections) connection.kill();
    listener.stop(true);
  };
  const drain = () => (drained ??= leave().then(() => drainAll(listener, connections, kill)));
  const endpoint = formatEndpoint(hostname, port);
  return {
    hostname,
    port,
    endpoint,
    drain,
    kill,
    get connections() {
      return connections.size;
    },
    [Symbol.asyncDispose]: drain,
  };
}

type Listener = Bun.TCPSocketListener<ServerConnection>;

function listen(
  options: RpcServerOptions,
  connections: Set<ServerConnection>,
  leaving: { readonly isSaid: boolean },
): Listener {
  const { role, secret, handlers, onFault = () => {} } = options;
  const { connectionsMax = limits.connectionsPerServerMax } = options;
  const { handshakeTimeoutMs = limits.handshakeTimeoutMs } = options;
  const dispatch = createDispatch(role, handlers);
  const rules = {
    role,
    secret,
    onFault,
    handshakeTimeoutMs,
    dispatch: (...[frame, context]: Parameters<Dispatch>) => {
      if (leaving.isSaid && frame.type === messages.ping.type) throw draining();
      return dispatch(frame, context);
    },
  };
  try {
    return Bun.listen<ServerConnection>({
      hostname: options.hostname,
      port: options.port,
      socket: {
        open(socket) {
          if (connections.size >= connectionsMax + limits.refusedConnectionsMax) {
            socket.terminate();
            return;
          }
          const connection = new ServerConnection(socket, rules);
          socket.data = connection;
          if (connections.size >= connectionsMax) connection.refuse(tooMany(connectionsMax));
          connections.add(connection);
        },
        data: (socket, bytes) => socket.data.receive(bytes),
        drain: (socket) => socket.data.drained(),
        close(socket) {
          // A socket that was cut off in open has no connection.
          const connection = socket.data as ServerConnection | undefined;
          if (connection === undefined) return;
          connections.delete(connection);
          connection.closed();
        },
        error: (socket, error) => socket.data.refuse(DsmError.from(error, "the connection")),
      },
    });
  } catch (cause) {
    throw cannotListen(cause, options);
  }
}

async function drainAll(
  listener: Listener,
  connections: ReadonlySet<ServerConnection>,
  kill: () => void,
): Promise<void> {
  listener.stop(false);
  const deadline = setTimeout(kill, limits.drainTimeoutMs).unref();
  await Promise.all(Array.from(connections, (connection) => connection.drain()));
  clearTimeout(deadline);
}

function tooMany(connectionsMax: number): DsmError {
  return new DsmError("OVERLOADED", `this server has its ${connectionsMax} connections already`, {
    remedy: "ask another server, or try again later",
  });
}

function cannotListen(cause: unknown, { hostname, port, role }: RpcServerOptions): DsmError {
  const what = `the ${role} server cannot listen on ${formatEndpoint(hostname, port)}`;
  switch (systemErrorCode(cause)) {
    case "EADDRINUSE":
      return new DsmError("ADDRESS_IN_USE", `${what}: another process does`, {
        remedy: "stop that process or choose another port",
        cause,
      });
    case "EACCES":
      return new DsmError("FORBIDDEN", `${what}: this user may not`, {
        remedy: "choose a port from 1024 on",
        cause,
      });
    default:
      return new DsmError("BAD_CONFIG", `${what}: ${systemErrorCode(cause) ?? "unknown address"}`, {
        remedy: "choose an address of this machine",
        cause,
      });
  }
}

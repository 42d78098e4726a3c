import { encodeFrame, type Frame, FrameDecoder, ServerHandshake } from "@dsm/protocol";
import { secret } from "./servers.ts";

export interface OddServer extends Disposable {
  readonly endpoint: string;
  /** Connections that were made so far. */
  readonly accepted: number;
}

interface State {
  readonly decoder: FrameDecoder;
  readonly handshake: ServerHandshake;
  proved: boolean;
}

/**
 * A server that proves the secret as it should and then answers each request with whatever bytes
 * the test wants; "hang up" closes the connection.
 */
export function oddServer(answer: (request: Frame) => Uint8Array | "hang up"): OddServer {
  let accepted = 0;
  const listener = Bun.listen<State>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        accepted++;
        const nonce = "s".repeat(22);
        const handshake = new ServerHandshake({ secret, role: "id", nonce });
        socket.data = { decoder: new FrameDecoder(), handshake, proved: false };
      },
      data(socket, bytes) {
        const state = socket.data;
        for (const frame of state.decoder.push(bytes)) {
          if (state.proved) {
            const said = answer(frame);
            if (said === "hang up") socket.end();
            else socket.write(said);
            continue;
          }
          const { send, session } = state.handshake.receive(frame);
          state.proved = session !== undefined;
          if (send !== undefined) socket.write(encodeFrame(send));
        }
      },
    },
  });
  return {
    endpoint: `127.0.0.1:${listener.port}`,
    get accepted() {
      return accepted;
    },
    [Symbol.dispose]: () => listener.stop(true),
  };
}

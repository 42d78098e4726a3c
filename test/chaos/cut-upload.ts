import { connect } from "node:net";
import { mediaPath } from "@dsm/protocol";
import type { MediaKey } from "./file-history.ts";
import type { Random } from "./random.ts";

const patienceMs = 1_000;
const longestBytes = 200_000;

/** An upload whose client vanishes in the middle of the body. */
export async function cutUpload(
  gateway: string,
  { user, fileId }: MediaKey,
  random: Random,
): Promise<void> {
  const [host = "", port = ""] = gateway.split(":");
  const sizeBytes = random.between(1, longestBytes);
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const socket = connect(Number(port), host);
  socket.on("error", () => resolve());
  socket.on("close", () => resolve());
  socket.setTimeout(patienceMs, () => socket.destroy());
  const head = `PUT ${mediaPath(user, fileId)} HTTP/1.1\r\nHost: ${gateway}\r\n`;
  socket.write(`${head}Content-Length: ${sizeBytes}\r\n\r\n`);
  socket.write(new Uint8Array(random.between(0, sizeBytes - 1)), () => socket.destroy());
  await closed;
}

import { read } from "bun:ffi";
import { constants } from "node:os";
import { openLibc } from "../libc.ts";

/** The thread behind syncfs-thread.ts: ours must not wait for a call that takes milliseconds. */
declare const self: Worker;

const libc = openLibc({
  syncfs: { args: ["int"], returns: "int" },
  __errno_location: { args: [], returns: "pointer" },
} as const);

self.addEventListener("message", ({ data }: MessageEvent<{ call: number; fd: number }>) => {
  const { call, fd } = data;
  const failed = libc.syncfs(fd) !== 0;
  self.postMessage({ call, code: failed ? errorCode() : undefined }, []);
});

function errorCode(): string {
  const location = libc.__errno_location();
  const number = location === null ? 0 : read.i32(location);
  const known = Object.entries(constants.errno).find(([, value]) => value === number);
  return known?.[0] ?? "EIO";
}

import { dlopen } from "bun:ffi";

/** Functions of the C library, glibc or musl. @throws Error where neither is there */
export function openLibc<S extends Parameters<typeof dlopen>[1]>(symbols: S) {
  const musl = `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`;
  try {
    return dlopen("libc.so.6", symbols).symbols;
  } catch {
    return dlopen(musl, symbols).symbols;
  }
}

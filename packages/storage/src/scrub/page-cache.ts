import { openLibc } from "../libc.ts";

/** From Linux's fcntl.h; the same on x64 and arm64. */
const advice = { random: 1, dontNeed: 4 } as const;

type Advise = (fd: number, offset: number, length: number, advice: number) => number;

/** The kernel keeps files in runs of pages, aligned by their size, and forgets whole ones alone. */
const folioMaxBytes = 4 * 1024 * 1024;

const advise = openAdvise();

/** Where the C library cannot be had all goes on, but bytes may come from memory. */
function openAdvise(): Advise {
  try {
    const { posix_fadvise } = openLibc({
      posix_fadvise: { args: ["int", "i64", "i64", "int"], returns: "int" },
    } as const);
    return posix_fadvise;
  } catch {
    return () => 0;
  }
}

/**
 * Lets the kernel forget what it keeps of a part of a file. What a reader gets from memory is what
 * was once written there, and says nothing of what the disk has now. Forgotten again after it was
 * read, a scrub does not push out of memory what players are about to read.
 *
 * Only this host's page cache is meant: what GlusterFS keeps on its servers is theirs, and is read
 * from their disks when it has not been asked for lately. docs/design/2026-11-23-scrub.md
 */
export function forgetPages(fd: number, start: number, endExclusive: number): void {
  const from = Math.floor(start / folioMaxBytes) * folioMaxBytes;
  const to = Math.ceil(endExclusive / folioMaxBytes) * folioMaxBytes;
  advise(fd, from, to - from, advice.dontNeed);
}

/** No read-ahead: what the kernel reads before it is asked would be forgotten and read twice. */
export function readNotAhead(fd: number): void {
  advise(fd, 0, 0, advice.random);
}

import { readFile, statfs } from "node:fs/promises";
import { softwareVersion, systemErrorCode } from "@dsm/protocol";
import { sizeText } from "../table.ts";
import { error, ok, type Seen, skipped, warning } from "./finding.ts";
import { inodeFindings } from "./inodes.ts";
import type { Subject } from "./subject.ts";

/** A server holds a socket or two and a file for each of its readers. */
const openFilesMin = 16_384;

export async function checkHost({ storage }: Subject): Promise<Seen[]> {
  const seen = await Promise.all([openFiles(), timeSync(), dataPath(storage)]);
  const versions = ok("this host", `dsm ${softwareVersion}, Bun ${Bun.version}`);
  return [versions, ...seen];
}

/** What this shell may open; a service has its own limit, LimitNOFILE of its unit. */
async function openFiles(): Promise<Seen> {
  const object = "open files";
  const text = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const hard = /^Max open files +\S+ +(\S+)/m.exec(text)?.[1];
  if (hard === undefined) return skipped(object, "this system does not tell its limit");
  const max = hard === "unlimited" ? Infinity : Number(hard);
  if (max >= openFilesMin) return ok(object, `a process may have ${hard}`);
  const what = `a process that is started from here may have no more than ${hard}`;
  const how = `LimitNOFILE=65536 or more in the units, or ulimit -n before the start`;
  return warning(object, what, how);
}

async function timeSync(): Promise<Seen> {
  const object = "time";
  const how = "timedatectl set-ntp true, or install chrony";
  try {
    await using asked = Bun.spawn(["timedatectl", "show", "--property=NTPSynchronized"], {
      stdout: "pipe",
      stderr: "ignore",
      timeout: timedatectlMs,
    });
    const said = (await asked.stdout.text()).trim();
    if (said === "NTPSynchronized=yes") return ok(object, "synchronised");
    if (said === "NTPSynchronized=no") {
      return warning(object, "this host's clock is not synchronised", how);
    }
  } catch {
    // There is no such program, as in a container.
  }
  return skipped(object, "no timedatectl says whether the clock is synchronised");
}

const timedatectlMs = 3_000;

async function dataPath(storage: Subject["storage"]): Promise<Seen> {
  if (typeof storage === "string") {
    return skipped("group file system here", `no storage is configured for this host: ${storage}`);
  }
  const { root, group, reserveBytes, sync } = storage;
  const object = `${root} of group ${group}`;
  const space = await statfs(root).catch(systemErrorCode);
  if (typeof space !== "object") {
    const how = "mount the group's file system there, and look at dmesg";
    return error(object, `it cannot be looked at: ${space ?? "unknown error"}`, how);
  }
  const { bavail, bsize, files, ffree } = space;
  const freeBytes = bavail * bsize;
  if (sync === "none") {
    const what = "sync is none: acknowledged files do NOT survive a power cut";
    return warning(object, what, "leave sync out, or set it to auto");
  }
  if (freeBytes < reserveBytes) {
    const what = `${sizeText(freeBytes)} are free, less than the reserve of ${sizeText(reserveBytes)}`;
    return error(object, what, "add space or delete files: it takes no uploads");
  }
  const [noInodes] = inodeFindings(object, { inodes: files, freeInodes: ffree });
  return noInodes ?? ok(object, `${sizeText(freeBytes)} free`);
}

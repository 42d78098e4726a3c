import { readFile, realpath } from "node:fs/promises";
import { error, ok, type Seen, skipped, warning } from "../finding.ts";
import type { Subject } from "../subject.ts";
import { advisedOptions } from "./advised-options.ts";
import { bricksOf, isSameValue, optionsInForce, volumeAt } from "./volume.ts";

/** `gluster` waits for two minutes when it is left to itself. */
const commandTimeoutMs = 10_000;
const name = "GlusterFS";

/** Where the group file system of this host is a volume: its options, bricks and heals. */
export async function checkGlusterFs({ storage }: Subject, signal: AbortSignal): Promise<Seen[]> {
  if (typeof storage === "string") {
    return [skipped(name, `no storage is configured for this host: ${storage}`)];
  }
  const mounts = await readFile("/proc/self/mounts", "utf8").catch(() => "");
  // A root whose mount hangs is what another check tells of.
  const root = await realpath(storage.root).catch(() => storage.root);
  const mounted = volumeAt(root, mounts);
  if (mounted === undefined) {
    return [skipped(name, `${storage.root} is not on a volume of GlusterFS`)];
  }
  const { volume } = mounted;
  const object = `volume ${volume}`;
  const [options, bricks] = await Promise.all([
    gluster(["volume", "get", volume, "all"], signal),
    gluster(["volume", "heal", volume, "info", "summary"], signal),
  ]);
  if (typeof options !== "string") return [cannotAsk(object, options.why)];
  const notes = optionFindings(object, volume, options);
  if (typeof bricks !== "string") notes.push(cannotAsk(object, bricks.why));
  else notes.push(...brickFindings(object, volume, bricks));
  return notes.length > 0
    ? notes
    : [ok(object, "all bricks are there, healed, options as advised")];
}

function cannotAsk(object: string, why: string): Seen {
  return skipped(
    object,
    `gluster does not tell: ${why}`,
    "run dsm doctor as root on a brick's host",
  );
}

/** @returns what it printed, or why that is nothing */
async function gluster(
  args: readonly string[],
  signal: AbortSignal,
): Promise<string | { readonly why: string }> {
  if (Bun.which("gluster") === null) return { why: "there is no such program on this host" };
  await using asked = Bun.spawn(["gluster", "--mode=script", ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: commandTimeoutMs,
    signal,
  });
  const [printed, said] = await Promise.all([asked.stdout.text(), asked.stderr.text()]);
  if ((await asked.exited) === 0) return printed;
  if (asked.signalCode !== null) return { why: `no answer within ${commandTimeoutMs / 1_000} s` };
  return { why: (said || printed).trim().split("\n")[0] ?? "it failed" };
}

/** Against the one table, which prepare-group sets: see deploy/glusterfs. */
function optionFindings(object: string, volume: string, printed: string): Seen[] {
  const inForce = optionsInForce(printed);
  return advisedOptions.flatMap(({ name: option, value, reason }) => {
    const is = inForce.get(option);
    // A newer GlusterFS may not have it any more.
    if (is === undefined || isSameValue(is, value)) return [];
    const what = `${option} is ${is} and not ${value}: ${reason}`;
    return [warning(object, what, `gluster volume set ${volume} ${option} ${value}`)];
  });
}

function brickFindings(object: string, volume: string, printed: string): Seen[] {
  const bricks = bricksOf(printed);
  const down = bricks.filter(({ waiting }) => waiting === undefined);
  const found: Seen[] = [];
  for (const { brick } of down) {
    const what = `brick ${brick} is not connected`;
    const how = `bring its host back, or start it there: gluster volume start ${volume} force`;
    const isQuorum = down.length * 2 < bricks.length;
    found.push(
      isQuorum
        ? warning(object, what, how)
        : error(object, `${what}; too few are left, so nothing can be written`, how),
    );
  }
  const waiting = Math.max(0, ...bricks.map((brick) => brick.waiting ?? 0));
  const split = Math.max(0, ...bricks.map((brick) => brick.split ?? 0));
  if (split > 0) {
    const how = `see gluster volume heal ${volume} info split-brain, and docs/OPERATIONS.md`;
    found.push(error(object, `${split} entries are in split-brain`, how));
  } else if (waiting > 0) {
    const how = `it goes on by itself while all bricks are there: gluster volume heal ${volume} info`;
    found.push(warning(object, `${waiting} entries wait to be healed`, how));
  }
  return found;
}

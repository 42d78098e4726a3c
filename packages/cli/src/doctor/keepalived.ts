import { readdir, readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { systemErrorCode } from "@dsm/protocol";
import { keepalivedConfig } from "./keepalived-config.ts";
import { error, ok, type Seen, skipped, warning } from "./finding.ts";

const usualPath = "/etc/keepalived/keepalived.conf";
const object = "Keepalived";

/** Where its configuration is there: whether it runs, asks dsm itself, and has addresses now. */
export async function checkKeepalived(configPath = usualPath): Promise<Seen[]> {
  const config = await configText(configPath);
  if (typeof config !== "string") return [config];
  const addresses = virtualAddresses(config);
  if (addresses.length === 0) {
    const how = "see deploy/keepalived for one that moves the addresses of dsm";
    return [warning(object, `${configPath} has no virtual address`, how)];
  }
  const notes: Seen[] = [];
  if (!(await runs())) {
    const how = "systemctl enable --now keepalived; journalctl -u keepalived says why it ended";
    notes.push(error(object, "it does not run on this host", how));
  }
  if (!/^\s*track_script\b/m.test(config)) {
    const what = "no instance has a track_script: a hung dsm keeps the address";
    notes.push(warning(object, what, "let one ask /readyz of the gateway or ping the tracker"));
  }
  return notes.length > 0 ? notes : [ok(object, `runs, ${whatIsHere(addresses)}`)];
}

/** Undefined text is what cannot be looked at. */
async function configText(configPath: string): Promise<string | Seen> {
  try {
    return await keepalivedConfig(configPath);
  } catch (thrown) {
    const code = systemErrorCode(thrown) ?? "unknown error";
    if (code === "ENOENT") return skipped(object, `no ${configPath} on this host`);
    return skipped(object, `${configPath} cannot be read: ${code}`, "run dsm doctor as root");
  }
}

/** Those of all `virtual_ipaddress` blocks, without prefix and device. */
export function virtualAddresses(config: string): string[] {
  const blocks = config.matchAll(/virtual_ipaddress\s*\{([^}]*)\}/g);
  const lines = [...blocks].flatMap(([, block = ""]) => block.split("\n"));
  const words = lines.map((line) => line.trim().split(/[\s/]/)[0] ?? "");
  return words.filter((word) => word !== "");
}

function whatIsHere(addresses: readonly string[]): string {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
  );
  const here = addresses.filter((address) => own.has(address));
  return here.length === 0
    ? `none of ${addresses.join(", ")} is here now`
    : `${here.join(", ")} is here now`;
}

async function runs(): Promise<boolean> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    // One that has ended meanwhile has no name any more.
    const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
    if (name.trim() === "keepalived") return true;
  }
  return false;
}

import { join } from "node:path";
import { startProcess, type TestProcess } from "../process.ts";
import { type Namespace } from "./namespace.ts";

const script = join(import.meta.dir, "slow-card.py");

/** The port that stands in for a host's own while some of its frames are late. */
export function slowCardOf(host: string): string {
  return `${host}-slow`;
}

/**
 * Stands between a host's card and the bridge and keeps frames back. It is for the bridge to take
 * the card out and the port in.
 *
 * @param delays milliseconds by the MAC address of the far end, for each direction
 */
export function startSlowCard(
  namespace: Namespace,
  host: string,
  delays: ReadonlyMap<string, number>,
): Promise<TestProcess> {
  const terms = [...delays].map(([mac, delayMs]) => `${mac}=${delayMs}`);
  const cmd = ["/usr/bin/python3", script, host, slowCardOf(host), ...terms];
  return startProcess({ cmd: namespace.command(cmd), ready: /ready/ });
}

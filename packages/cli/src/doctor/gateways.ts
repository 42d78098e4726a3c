import { clockFindings } from "./clock.ts";
import { error, ok, type Seen, skipped } from "./finding.ts";
import { probeHttp } from "./http-probe.ts";
import type { Subject } from "./subject.ts";

export async function checkGateways({ gateways }: Subject, signal: AbortSignal): Promise<Seen[]> {
  if (gateways.length === 0) {
    return [
      skipped("gateways", "none is named", "name them, and the virtual address, with --gateway"),
    ];
  }
  const seen = await Promise.all(gateways.map((url) => look(url.replace(/\/+$/, ""), signal)));
  return seen.flat();
}

async function look(url: string, signal: AbortSignal): Promise<Seen[]> {
  const object = `gateway ${url}`;
  const alive = await probeHttp(`${url}/healthz`, { signal });
  if (typeof alive === "string") {
    const how = "start it there, and let the firewalls between here and there pass its port";
    return [error(object, `it cannot be reached from here: ${alive}`, how)];
  }
  if (alive.status !== 200) {
    const what = `/healthz answers ${alive.status}: that is no dsm gateway`;
    return [error(object, what, "name the gateway's own URL, as http://10.0.0.1:8080")];
  }
  const notes = alive.clock === undefined ? [] : clockFindings(object, alive.clock);
  const ready = await probeHttp(`${url}/readyz`, { signal });
  if (typeof ready === "string" || ready.status !== 200) {
    const why = typeof ready === "string" ? ready : reasonOf(ready.text);
    const how = "its trackers are not the ones that were asked here, or it cannot reach them";
    return [...notes, error(object, `it is not ready: ${why}`, how)];
  }
  if (notes.length > 0) return notes;
  return [ok(object, `ready, answers in ${ready.tookMs.toFixed(1)} ms`)];
}

function reasonOf(text: string): string {
  try {
    const state: unknown = JSON.parse(text);
    const hasReason = typeof state === "object" && state !== null && "reason" in state;
    return hasReason ? String(state.reason) : text;
  } catch {
    return text;
  }
}

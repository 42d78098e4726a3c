import { PacedReader } from "./paced-reader.ts";
import type { TrafficFigures, TrafficTerms } from "./traffic.ts";

/** `traffic-process.ts TERMS`: runs until SIGUSR1, and says its figures ten times a second. */
const terms = JSON.parse(process.argv[2] ?? "") as TrafficTerms;
const givenUpAfterMs = 30_000;
const authorization = `Bearer ${terms.writeKey}`;

type Counts = { -readonly [name in keyof TrafficFigures]: TrafficFigures[name] };
const counts: Counts = {
  uploads: 0,
  failedAttempts: 0,
  failedUploads: 0,
  longestUploadGapMs: 0,
  readBytes: 0,
  readWhole: 0,
  reconnects: 0,
  longestReadGapMs: 0,
  wrongBytes: 0,
  lastFailure: "",
};
/** What was acknowledged, and its SHA-256. */
const kept = new Map<string, string>();
const stopping = new AbortController();
process.on("SIGUSR1", () => stopping.abort());

/** What was said last of uploads and of reads: while it stays the same, once is enough. */
const said = new Map<string, string>();

function failed(what: string): void {
  counts.lastFailure = what;
  const kind = what.slice(0, 3);
  const why = what.replaceAll(/\d+/g, "");
  if (said.get(kind) === why) return;
  said.set(kind, why);
  console.error(`${(performance.now() / 1_000).toFixed(2)} s: ${what}`);
}

const urlOf = (fileId: string) => `${terms.http}/media/${terms.user}/${fileId}`;

/** @returns whether it was acknowledged */
async function put(fileId: string, body: Uint8Array): Promise<boolean> {
  try {
    const response = await fetch(urlOf(fileId), {
      method: "PUT",
      body,
      headers: { Authorization: authorization },
      signal: AbortSignal.timeout(terms.stallMs + 3_500),
      keepalive: false,
    });
    const text = await response.text();
    if (response.ok) return true;
    failed(`PUT ${fileId}: ${response.status} ${text.slice(0, 300)}`);
    if (response.status < 500) counts.failedUploads++;
  } catch (error) {
    failed(`PUT ${fileId}: ${String(error)}`);
  }
  counts.failedAttempts++;
  return false;
}

async function upload(fileId: string, body: Uint8Array): Promise<void> {
  const startedMs = performance.now();
  while (!(await put(fileId, body))) {
    if (performance.now() - startedMs > givenUpAfterMs) {
      counts.failedUploads++;
      return;
    }
    if (stopping.signal.aborted) return;
    await Bun.sleep(100);
  }
  kept.set(fileId, Bun.SHA256.hash(body, "hex"));
}

async function uploadOnAndOn(): Promise<void> {
  let lastMs = performance.now();
  for (let n = 0; !stopping.signal.aborted; n++) {
    const body = crypto.getRandomValues(new Uint8Array(Math.min(terms.uploadBytes, 65_536)));
    const whole = Buffer.alloc(terms.uploadBytes, body);
    const before = kept.size;
    await upload(`up/${n}`, whole);
    if (kept.size > before) {
      counts.uploads = kept.size;
      counts.longestUploadGapMs = Math.max(counts.longestUploadGapMs, performance.now() - lastMs);
      lastMs = performance.now();
    }
    await Bun.sleep(20);
  }
}

async function readOnAndOn(): Promise<void> {
  const film = Buffer.alloc(terms.readBytes, crypto.getRandomValues(new Uint8Array(65_521)));
  await upload("film", film);
  const reader = new PacedReader({
    url: urlOf("film"),
    content: film,
    bytesPerSecond: terms.readBytesPerSecond,
    stallMs: terms.stallMs,
    signal: stopping.signal,
    counts,
    failed,
  });
  while (!stopping.signal.aborted) await reader.read();
}

async function lostFiles(): Promise<number> {
  let lost = 0;
  for (const [fileId, sha256] of kept) {
    const bytes = await fetch(urlOf(fileId)).then((response) => response.bytes());
    if (Bun.SHA256.hash(bytes, "hex") === sha256) continue;
    lost++;
    failed(`${fileId} was acknowledged and reads otherwise`);
  }
  return lost;
}

const say = () => console.log(JSON.stringify(counts));
const saying = setInterval(say, 100);
await Promise.all([uploadOnAndOn(), readOnAndOn()]);
clearInterval(saying);
counts.lost = await lostFiles();
say();
process.exit(0);

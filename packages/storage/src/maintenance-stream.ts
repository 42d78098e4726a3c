import { limits, type MaintenanceLine } from "@dsm/protocol";

export type MaintenanceLines = AsyncGenerator<MaintenanceLine, void, undefined>;

const encoder = new TextEncoder();

const starting: MaintenanceLine = {
  progress: { doing: "starting", done: 0, total: 0, unit: "records" },
};
const isEnd = (line: MaintenanceLine) => "done" in line || "error" in line;

/**
 * The lines as NDJSON, each asked for only when the one before was taken, so that a slow reader
 * holds the work back. When the work has no news for a while its last word is said again: whoever
 * watches tells a storage that works from one that died.
 * @param leave called when the reader has left
 */
export function maintenanceStream(
  lines: MaintenanceLines,
  leave: () => void,
): ReadableStream<Uint8Array> {
  let next: Promise<IteratorResult<MaintenanceLine, void>> | undefined;
  let last: MaintenanceLine = starting;
  let hasLeft = false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        next ??= lines.next();
        const news = await newsIn(next);
        if (hasLeft) return;
        if (news === undefined) {
          controller.enqueue(encode(last));
          return;
        }
        next = undefined;
        if (news.done === true) {
          controller.close();
          return;
        }
        if ("progress" in news.value) last = news.value;
        controller.enqueue(encode(news.value));
        if (!isEnd(news.value)) return;
        await lines.return();
        controller.close();
      },
      cancel() {
        hasLeft = true;
        leave();
      },
    },
    { highWaterMark: 0 },
  );
}

function encode(line: MaintenanceLine): Uint8Array {
  return encoder.encode(`${JSON.stringify(line)}\n`);
}

/** Undefined when there is none for `limits.maintenanceQuietMs`. */
async function newsIn<T>(next: Promise<T>): Promise<T | undefined> {
  const { promise: quiet, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, limits.maintenanceQuietMs, undefined);
  try {
    return await Promise.race([next, quiet]);
  } finally {
    clearTimeout(timer);
  }
}

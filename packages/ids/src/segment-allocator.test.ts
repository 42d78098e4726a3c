import { describe, expect, test } from "bun:test";
import { blobIdToNumber } from "@dsm/protocol";
import fc from "fast-check";
import { SegmentAllocator, type SegmentSource } from "./segment-allocator.ts";

/** A catalog's counter without the catalog; the real one stands in test/crash. */
class Counter implements SegmentSource {
  #next = 1;
  leaseSegment(_name: string, count: number) {
    const first = this.#next;
    this.#next += count;
    return Promise.resolve({ first, count });
  }
}

async function idsOf(allocator: SegmentAllocator, count: number): Promise<number[]> {
  const lease = await allocator.lease(count);
  const first = blobIdToNumber(lease.first);
  return Array.from({ length: lease.count }, (_, i) => first + i);
}

describe("SegmentAllocator", () => {
  test("no id is given twice, whatever is asked of however many servers, restarts included", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ server: fc.nat(3), count: fc.integer({ min: 1, max: 5000 }) })),
        fc.array(fc.nat(3)),
        fc.integer({ min: 1, max: 4096 }),
        async (asked, restarts, segmentIds) => {
          const source = new Counter();
          const servers = Array.from({ length: 4 }, () => new SegmentAllocator(source, segmentIds));
          const given: number[] = [];
          for (const [step, { server, count }] of asked.entries()) {
            const restarted = restarts[step];
            if (restarted !== undefined) {
              servers[restarted] = new SegmentAllocator(source, segmentIds);
            }
            given.push(...(await idsOf(servers[server]!, count)));
          }
          expect(new Set(given).size).toBe(given.length);
        },
      ),
    ));

  test("callers at the same moment share one segment and get different ids", async () => {
    const allocator = new SegmentAllocator(new Counter(), 100);
    const leases = await Promise.all(Array.from({ length: 300 }, () => idsOf(allocator, 7)));
    const all = leases.flat();
    expect(new Set(all).size).toBe(all.length);
  });

  test("a lease ends where a directory of blobs ends", async () => {
    const allocator = new SegmentAllocator(new Counter(), 65_536);
    const first = await allocator.lease(1024);
    const second = await allocator.lease(1024);
    expect([first.count, blobIdToNumber(second.first) % 1024, second.count]).toEqual([
      1023, 0, 1024,
    ]);
  });
});

import { expect, test } from "bun:test";
import fc from "fast-check";
import { EndpointOrder } from "./endpoint-order.ts";

test("the one that answered last is first, the ones that failed are last until they rested", () => {
  const order = new EndpointOrder(4, 100);
  expect(order.at(0)).toEqual([0, 1, 2, 3]);
  order.answered(2);
  expect(order.at(0)).toEqual([2, 0, 1, 3]);
  order.failed(2, 1);
  order.failed(0, 2);
  expect(order.at(50)).toEqual([1, 3, 2, 0]);
  order.answered(3);
  expect(order.at(50)).toEqual([3, 1, 2, 0]);
  expect(order.at(101.5)).toEqual([3, 1, 2, 0]);
  expect(order.at(102)).toEqual([3, 0, 1, 2]);
  order.failed(3, 200);
  order.answered(3);
  expect(order.at(200)).toEqual([3, 0, 1, 2]);
});

test("elsewhere the one that answered last comes behind the others, and those take turns", () => {
  const order = new EndpointOrder(3, 100);
  const firsts = Array.from({ length: 4 }, () => {
    const [first] = order.at(0, true);
    order.answered(first ?? -1);
    return first;
  });
  expect(firsts).toEqual([1, 2, 0, 1]);
  expect(order.at(0, true)).toEqual([2, 0, 1]);
  order.failed(2, 0);
  expect(order.at(50, true)).toEqual([0, 1, 2]);
});

test("every endpoint is asked once, whatever happened to it", () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.record({ index: fc.nat(8), ok: fc.boolean(), atMs: fc.nat(5000) })),
      fc.nat(6000),
      fc.boolean(),
      (count, events, nowMs, elsewhere) => {
        const order = new EndpointOrder(count);
        for (const { index, ok, atMs } of events) {
          if (ok) order.answered(index % count);
          else order.failed(index % count, atMs);
        }
        expect(order.at(nowMs, elsewhere).toSorted()).toEqual(
          Array.from({ length: count }, (_, i) => i),
        );
      },
    ),
  ));

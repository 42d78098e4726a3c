import type { Random } from "./random.ts";

/** How often each happens, in comparison. */
export const operationWeights = {
  put: 26,
  create: 8,
  replace: 6,
  delete: 9,
  "delete one version": 2,
  restore: 6,
  read: 20,
  "read a part": 16,
  stat: 6,
  list: 3,
  "put with a wrong digest": 1,
  "put cut short": 2,
} as const;
export type OperationKind = keyof typeof operationWeights;

/** 0 to 5 MiB, most of them small. */
export function randomSize(random: Random): number {
  const kind = random.weighted({ none: 3, tiny: 3, small: 50, medium: 30, large: 15, huge: 3 });
  const ranges = {
    none: [0, 0],
    tiny: [1, 15],
    small: [16, 4_096],
    medium: [4_097, 65_536],
    large: [65_537, 1_048_576],
    huge: [1_048_577, 5 * 1_048_576],
  } as const;
  const [low, high] = ranges[kind];
  return random.between(low, high);
}

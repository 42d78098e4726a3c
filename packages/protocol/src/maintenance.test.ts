import { expect, test } from "bun:test";
import type { DsmError } from "./errors.ts";
import { assertMaintenance, maintenanceLineSchema, signMaintenance } from "./maintenance.ts";
import { clusterSecret } from "./secret.ts";

const secret = clusterSecret("0123456789abcdef0123456789abcdef");
const nowMs = 1_700_000_000_000;
const right = signMaintenance(secret, "g1", nowMs + 1);

function refusalOf(token: string, group = "g1", atMs = nowMs): string {
  try {
    assertMaintenance(secret, group, token, atMs);
  } catch (error) {
    return (error as DsmError).message;
  }
  return "none";
}

test("the right to maintain is good for its group until its time, with this secret", () => {
  expect(refusalOf(right)).toBe("none");
  expect(refusalOf(right, "g2")).toContain("for group g2");
  expect(refusalOf(right, "g1", nowMs + 1)).toContain("it has expired");
  const foreign = signMaintenance(clusterSecret("f".repeat(32)), "g1", nowMs + 1);
  expect(refusalOf(foreign)).toContain("this cluster's secret");
});

test("no change of a single character is taken", () => {
  for (let at = 0; at < right.length; at++) {
    const other = right[at] === "1" ? "2" : "1";
    expect(refusalOf(right.slice(0, at) + other + right.slice(at + 1))).not.toBe("none");
  }
  for (const token of ["", ".", "..", `${right}.`, ` ${right}`, right.slice(0, -1)]) {
    expect(refusalOf(token)).not.toBe("none");
  }
});

test("a line of an answer says one thing", () => {
  const progress = { doing: "reading", done: 1, total: 0, unit: "bytes" };
  for (const line of [{ progress }, { finding: { kind: "orphan" } }, { done: {} }]) {
    expect(maintenanceLineSchema.safeParse(line).success).toBe(true);
  }
  expect(maintenanceLineSchema.safeParse({ other: 1 }).success).toBe(false);
});

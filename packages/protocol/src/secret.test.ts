import { expect, test } from "bun:test";
import fc from "fast-check";
import { clusterSecret, sameProof } from "./secret.ts";

const text = "0123456789abcdef0123456789abcdef";
const secret = clusterSecret(text);

test("a secret of fewer than 32 characters is BAD_CONFIG and is not told", () => {
  const short = text.slice(1);
  expect(() => clusterSecret(short)).toThrow(expect.objectContaining({ code: "BAD_CONFIG" }));
  expect(() => clusterSecret(short)).not.toThrow(short);
});

test("the secret shows in no way of printing it", () => {
  expect(JSON.stringify(secret) + Bun.inspect(secret) + String(secret)).not.toContain(text);
});

test("proofs are equal only for the same secret, purpose and parts", () =>
  fc.assert(
    fc.property(
      fc.tuple(fc.string(), fc.array(fc.string())),
      fc.tuple(fc.string(), fc.array(fc.string())),
      ([purposeA, partsA], [purposeB, partsB]) => {
        const equal = purposeA === purposeB && JSON.stringify(partsA) === JSON.stringify(partsB);
        const proofs = [secret.prove(purposeA, partsA), secret.prove(purposeB, partsB)] as const;
        expect(sameProof(...proofs)).toBe(equal);
        const other = clusterSecret(`${text}0`).prove(purposeA, partsA);
        expect(sameProof(proofs[0], other)).toBe(false);
      },
    ),
  ));

test("parts that are cut elsewhere give another proof", () => {
  const proofs = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["1:a", "b"], ["1:a1:b"]].map(
    (parts) => secret.prove("test", parts),
  );
  expect(new Set(proofs).size).toBe(proofs.length);
});

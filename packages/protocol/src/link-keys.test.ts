import { expect, test } from "bun:test";
import fc from "fast-check";
import { LinkKeys, readLinkKey, showLinkKey } from "./link-keys.ts";

const secret = "0123456789abcdef0123456789abcdef";
const other = "f".repeat(32);

test("a key comes back from its written form, whatever its secret holds", () => {
  const key = fc.record({
    id: fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/),
    secret: fc.stringMatching(/^[\x21-\x2b\x2d-\x7e]{32,256}$/),
  });
  fc.assert(
    fc.property(key, (it) => {
      expect(readLinkKey(showLinkKey(it))).toEqual({ value: it });
    }),
  );
});

test.each([
  ["", "it has no :"],
  [secret, "it has no :"],
  [`:${secret}`, "what stands before the : is no id of a key"],
  [`a b:${secret}`, "what stands before the : is no id of a key"],
  [`${"k".repeat(33)}:${secret}`, "what stands before the : is no id of a key"],
  [`k:${secret.slice(1)}`, "the secret has 31 characters"],
  [`k:${"x".repeat(257)}`, "the secret has 257 characters"],
  [`k:${secret},`, "the secret holds a character that it may not"],
  [`k:${secret}\n`, "the secret holds a character that it may not"],
])("%j is no key, and why is said without the secret", (text, fault) => {
  expect(readLinkKey(text)).toEqual({ fault });
});

test("the first key signs; keys of one id are refused", () => {
  const keys = [
    { id: "b", secret },
    { id: "a", secret: other },
  ];
  expect(new LinkKeys(keys).signerId).toBe("b");
  expect(new LinkKeys([]).signerId).toBeUndefined();
  expect(() => new LinkKeys([...keys, { id: "a", secret }])).toThrow(
    expect.objectContaining({ code: "BAD_CONFIG", message: "two link keys have the id a" }),
  );
});

test("a signature depends on the id, the secret and the parts, and on nothing else", () => {
  const proofs = [
    new LinkKeys([{ id: "a", secret }]).prove("a", ["x"]),
    new LinkKeys([{ id: "b", secret }]).prove("b", ["x"]),
    new LinkKeys([{ id: "a", secret: other }]).prove("a", ["x"]),
    new LinkKeys([{ id: "a", secret }]).prove("a", ["x", ""]),
  ];
  expect(new Set(proofs).size).toBe(4);
  const ring = new LinkKeys([
    { id: "z", secret: other },
    { id: "a", secret },
  ]);
  expect(ring.prove("a", ["x"])).toBe(proofs[0] ?? "");
});

test("nobody can know the signature of an unknown key id", () => {
  const [one, two] = [new LinkKeys([{ id: "a", secret }]), new LinkKeys([{ id: "a", secret }])];
  expect(one.prove("nobody", ["x"])).not.toBe(two.prove("nobody", ["x"]));
  expect(one.prove("", ["x"])).toMatch(/^[\w-]{43}$/);
});

test("the secrets show in no way of printing the keys", () => {
  const keys = new LinkKeys([{ id: "a", secret }]);
  expect(JSON.stringify(keys) + Bun.inspect(keys) + String(keys)).not.toContain(secret);
});

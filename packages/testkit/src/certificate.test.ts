import { expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { makeCertificate } from "./certificate.ts";

test("a certificate fits its key, its names and its days, and vouches for itself", () => {
  const { cert, key, serialNumber } = makeCertificate(10);
  const read = new X509Certificate(cert);
  expect(read.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect([read.verify(read.publicKey), read.ca, read.serialNumber]).toEqual([
    true,
    true,
    serialNumber,
  ]);
  expect(read.checkHost("localhost")).toBe("localhost");
  for (const address of ["127.0.0.1", "::1"]) expect(read.checkIP(address)).toBe(address);
  const days = (read.validToDate.getTime() - Date.now()) / 86_400_000;
  expect(days).toBeCloseTo(10, 1);
  expect(makeCertificate().serialNumber).not.toBe(serialNumber);
});

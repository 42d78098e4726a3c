import { describe, expect, test } from "bun:test";
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { DsmError } from "@dsm/protocol";
import { type Certificate, makeCertificate, tempDir, until } from "@dsm/testkit";
import { TlsFiles } from "./tls-files.ts";

/** Two files that are looked at often, and what was told of them. */
async function watched(dir: string, first: Certificate) {
  const [certFile, keyFile] = [join(dir, "fullchain.pem"), join(dir, "privkey.pem")];
  await Bun.write(certFile, first.cert);
  await Bun.write(keyFile, first.key);
  return { ...(await watch(certFile, keyFile)), certFile, keyFile };
}

async function watch(certFile: string, keyFile: string) {
  const faults: DsmError[] = [];
  const renewals: Date[] = [];
  const files = await TlsFiles.open({
    certFile,
    keyFile,
    // Both files are written between two looks, also on a machine that is busy.
    checkIntervalMs: 100,
    onFault: (error) => faults.push(error),
    onRenewed: (expiresAt) => renewals.push(expiresAt),
  });
  return { files, faults, renewals };
}

describe("TlsFiles", () => {
  test("takes over files that are written anew", async () => {
    await using dir = await tempDir();
    const [old, renewed] = [makeCertificate(), makeCertificate(90)];
    const { files, faults, renewals, certFile, keyFile } = await watched(dir.path, old);
    using _ = files;
    const seen: string[] = [];
    const unwatch = files.onChange(({ cert }) => seen.push(cert));
    expect(files.current).toEqual({ cert: old.cert, key: old.key });
    await Bun.write(certFile, renewed.cert);
    await Bun.write(keyFile, renewed.key);
    await until("it is taken over", () => files.current.cert === renewed.cert);
    expect([seen, files.current.key]).toEqual([[renewed.cert], renewed.key]);
    expect(renewals[0]?.getTime()).toBeGreaterThan(Date.now() + 80 * 86_400_000);
    unwatch();
    await Bun.write(certFile, old.cert);
    await Bun.write(keyFile, old.key);
    await until("it is taken over again", () => files.current.cert === old.cert);
    expect([seen.length, faults]).toEqual([1, []]);
  });

  test("takes over links whose targets are exchanged, as certbot does it", async () => {
    await using dir = await tempDir();
    const archive = join(dir.path, "archive");
    await mkdir(archive);
    const [one, two] = [makeCertificate(), makeCertificate()];
    for (const [n, { cert, key }] of [one, two].entries()) {
      await Bun.write(join(archive, `fullchain${n}.pem`), cert);
      await Bun.write(join(archive, `privkey${n}.pem`), key);
    }
    const link = async (n: number) => {
      for (const name of ["fullchain", "privkey"]) {
        const path = join(dir.path, `${name}.pem`);
        await symlink(join(archive, `${name}${n}.pem`), `${path}.new`);
        await rename(`${path}.new`, path);
      }
    };
    await link(0);
    const paths = ["fullchain.pem", "privkey.pem"].map((name) => join(dir.path, name));
    const { files, faults } = await watch(paths[0] ?? "", paths[1] ?? "");
    using _ = files;
    await link(1);
    await until("it is taken over", () => files.current.cert === two.cert);
    expect([files.current.key, faults]).toEqual([two.key, []]);
  });

  test.each(["half a certificate", "the key of another", "nothing at all"])(
    "keeps the old pair when %s is found, and tells of it once",
    async (what) => {
      await using dir = await tempDir();
      const [old, renewed] = [makeCertificate(), makeCertificate()];
      const { files, faults, certFile, keyFile } = await watched(dir.path, old);
      using _ = files;
      if (what === "half a certificate") await Bun.write(certFile, renewed.cert.slice(0, 300));
      else if (what === "the key of another") await Bun.write(keyFile, renewed.key);
      else await rm(certFile);
      await until("it is told of", () => faults.length > 0);
      expect(faults[0]).toMatchObject({ code: "BAD_CONFIG" });
      expect(faults[0]?.message).toContain(dir.path);
      expect(files.current).toEqual({ cert: old.cert, key: old.key });
      // Looked at many times more, and not told of again.
      await Bun.sleep(500);
      expect(faults).toHaveLength(1);
      // It mends by itself when the renewal is whole.
      await Bun.write(certFile, renewed.cert);
      await Bun.write(keyFile, renewed.key);
      await until("it is taken over", () => files.current.cert === renewed.cert);
    },
  );

  test("warns of a certificate that ends within a week, and of no other", async () => {
    await using dir = await tempDir();
    const { files, faults, certFile, keyFile } = await watched(dir.path, makeCertificate(8));
    using _ = files;
    expect(faults).toEqual([]);
    const ending = makeCertificate(6);
    await Bun.write(certFile, ending.cert);
    await Bun.write(keyFile, ending.key);
    await until("it is told of", () => faults.length > 0);
    expect(faults[0]?.message).toStartWith(`the certificate in ${certFile} ends at 20`);
  });

  test("refuses at the start what cannot be used, with its path", async () => {
    await using dir = await tempDir();
    const [one, other] = [makeCertificate(), makeCertificate()];
    const certFile = join(dir.path, "cert.pem");
    const keyFile = join(dir.path, "key.pem");
    const open = () => TlsFiles.open({ certFile, keyFile, onFault: () => {} });
    const refused = (message: string) => ({
      code: "BAD_CONFIG",
      message: expect.stringContaining(message),
    });
    await expect(open()).rejects.toMatchObject(refused(`${certFile} cannot be read: ENOENT`));
    await Bun.write(certFile, one.cert);
    await Bun.write(keyFile, other.key);
    await expect(open()).rejects.toMatchObject(refused(`${keyFile} is not that of ${certFile}`));
    await Bun.write(keyFile, "no key");
    await expect(open()).rejects.toMatchObject(refused("are no certificate and key"));
    await Bun.write(certFile, "");
    await expect(open()).rejects.toMatchObject(refused("are no certificate and key"));
  });
});

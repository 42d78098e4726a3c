import { describe, expect, test } from "bun:test";
import { LinkKeys, type MediaLink, parseReadTarget, signLink } from "@dsm/protocol";
import { accessFor } from "./access.ts";
import { readAccess, type ReadsMode } from "./read-access.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

const keys = new LinkKeys([{ id: "k1", secret: "0123456789abcdef0123456789abcdef" }]);
const film: MediaLink = {
  user: "ann",
  scope: { fileId: "film.mp4" },
  expiresAtMs: Date.now() + 60_000,
};
const bare = "/media/ann/film.mp4";

function admitter(mode: ReadsMode, writeKey?: string) {
  const access = accessFor("127.0.0.1", writeKey);
  const reads = readAccess({ mode, keys, proxies: new TrustedProxies(["10.0.0.1"]), access });
  return (path: string, headers: Record<string, string> = {}, peer = "192.0.2.1") => {
    const request = new Request(`http://any.example${path}`, { headers });
    return reads.admit(request, parseReadTarget(request.url), { remoteAddress: peer });
  };
}

const failure = (code: string) => expect.objectContaining({ code });

describe("signed reads", () => {
  test("without a key do not start", () => {
    const access = accessFor("127.0.0.1", undefined);
    const rules = { keys: new LinkKeys([]), proxies: new TrustedProxies([]), access };
    expect(() => readAccess({ mode: "signed", ...rules })).toThrow(failure("BAD_CONFIG"));
    readAccess({ mode: "public", ...rules });
  });

  test("need a link, or the write key where there is one", () => {
    const admit = admitter("signed", "the-write-key");
    expect(() => admit(bare)).toThrow(failure("UNAUTHENTICATED"));
    expect(() => admit(`${bare}?exp=1999999999&dl=1`)).toThrow(failure("UNAUTHENTICATED"));
    for (const Authorization of ["Bearer another-key", "Basic x", "Bearer undefined"]) {
      expect(() => admit(bare, { Authorization })).toThrow(failure("UNAUTHENTICATED"));
    }
    expect(admit(bare, { Authorization: "Bearer the-write-key" })).toEqual({
      isPrivate: true,
      downloadOnly: false,
    });
    expect(() => admitter("signed")(bare, { Authorization: "Bearer undefined" })).toThrow(
      failure("UNAUTHENTICATED"),
    );
  });

  test("grant what the link says", () => {
    const admit = admitter("signed");
    const terms = { downloadOnly: true, clientAddress: "192.0.2.1" };
    const signed = signLink(keys, { ...film, ...terms });
    expect(admit(signed.path)).toEqual({
      isPrivate: true,
      ...terms,
      expiresAtMs: signed.expiresAtMs,
    });
  });

  test("see the client through a trusted proxy and through no other", () => {
    const admit = admitter("signed");
    const { path } = signLink(keys, { ...film, clientAddress: "203.0.113.7" });
    const forwarded = { "X-Forwarded-For": "203.0.113.7" };
    expect(admit(path, forwarded, "::ffff:10.0.0.1").clientAddress).toBe("203.0.113.7");
    expect(() => admit(path, forwarded, "10.0.0.2")).toThrow(failure("FORBIDDEN"));
    expect(() => admit(path, {}, "10.0.0.1")).toThrow(failure("FORBIDDEN"));
  });
});

describe("public reads", () => {
  const admit = admitter("public", "the-write-key");

  test("ask for nothing", () => {
    for (const path of [bare, `${bare}?exp=1&dl=1&pre=0&ip=x`]) {
      expect(admit(path)).toEqual({ isPrivate: false, downloadOnly: false });
    }
  });

  test("hold to a link that is there, and refuse a bad one", () => {
    const { path } = signLink(keys, { ...film, downloadOnly: true });
    expect(admit(path).downloadOnly).toBe(true);
    const expired = signLink(keys, { ...film, expiresAtMs: Date.now() - 60_000 }).path;
    for (const bad of [path.replace("&dl=1", ""), expired, `${bare}?sig=x`]) {
      expect(() => admit(bad)).toThrow(failure("FORBIDDEN"));
      // The right to do more makes a bad link no better.
      expect(() => admit(bad, { Authorization: "Bearer the-write-key" })).toThrow(
        failure("FORBIDDEN"),
      );
    }
  });
});

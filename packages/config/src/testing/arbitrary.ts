import fc from "fast-check";
import type { NamedOption } from "../names.ts";

const name = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/);
const port = fc.integer({ min: 1, max: 65_535 });
const mode = fc.constantFrom("auto", "local", "redirect", "proxy");
const host = fc.oneof(fc.ipV4(), fc.stringMatching(/^[a-z0-9]{1,12}(\.[a-z0-9]{1,12}){0,2}$/));
const hostPort = fc.record({ hostname: host, port });
const endpoint = fc.tuple(host, port).map(([h, p]) => `${h}:${p}`);
const plain = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  .filter((it) => it.isWellFormed() && !/\p{Cc}/u.test(it));
/** A list cannot hold a comma in an item, and leaves out the blanks around it. */
const inList = plain.map((it) => it.replaceAll(",", ""));
const url = fc.webUrl({ validSchemes: ["http", "https"] });

/** Values of each option that its kind must take, by `section.key`. */
const byOption: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  "common.trackers": fc.uniqueArray(endpoint, { minLength: 1, maxLength: 8 }),
  "common.idServers": fc.uniqueArray(endpoint, { minLength: 1, maxLength: 8 }),
  "common.catalog": fc.constantFrom("sqlite:/var/lib/dsm.db", "mysql://u:p@h:3306,[::1]:1,i/d?x=1"),
  "common.secret": plain,
  "common.secretFile": plain.map((it) => `/${it}`),
  "common.cacheControl": fc.constantFrom("no-store", 'public, max-age=60, private="a, b"'),
  "common.tlsCert": plain.map((it) => `/${it}`),
  "common.tlsKey": plain.map((it) => `/${it}`),
  "common.logLevel": fc.constantFrom("trace", "debug", "info", "warn", "error", "silent"),
  "storage.id": name,
  "storage.group": name,
  "storage.root": plain.map((it) => `/${it}`),
  "storage.dataUrl": url,
  "storage.publicUrl": url,
  "storage.reserveBytes": fc.maxSafeNat(),
  "gateway.http": hostPort,
  "gateway.delivery": fc.record({
    others: mode,
    byGroup: fc
      .uniqueArray(fc.tuple(name, mode), { maxLength: 4, selector: ([g]) => g })
      .map((entries) => new Map(entries)),
  }),
  "gateway.mounts": fc.uniqueArray(
    fc.record({ group: name, folder: inList.map((it) => `/${it}/x`) }),
    { minLength: 1, maxLength: 4, selector: ({ group, folder }) => `${group}=${folder}` },
  ),
  "gateway.corsOrigins": fc.uniqueArray(
    url.map((it) => new URL(it).origin),
    { minLength: 1, maxLength: 4 },
  ),
  "common.vary": fc.uniqueArray(fc.stringMatching(/^[A-Za-z-]{1,20}$/), { minLength: 1 }),
  "gateway.freshnessMs": fc.nat(60_000),
  "gateway.writeKey": plain,
  "storage.metricsKey": plain,
  "storage.sync": fc.constantFrom("auto", "syncfs", "files", "none"),
  "gateway.reads": fc.constantFrom("public", "signed"),
  "gateway.linkKeys": fc.uniqueArray(
    fc.record({
      id: fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/),
      secret: fc.stringMatching(/^[\x21-\x2b\x2d-\x7e]{32,64}$/),
    }),
    { minLength: 1, maxLength: 4, selector: ({ id }) => id },
  ),
  "gateway.trustedProxies": fc.uniqueArray(
    fc.oneof(
      fc.ipV4(),
      fc.tuple(fc.ipV4(), fc.nat(32)).map(([it, bits]) => `${it}/${bits}`),
      fc.constantFrom("fd00::/8", "::1"),
    ),
    { minLength: 1, maxLength: 4 },
  ),
  "gateway.publicUrl": url,
};

/** Numbers that every duration and count of the table allows. */
const modest = fc.integer({ min: 1_000, max: 600_000 });
const few = fc.integer({ min: 2, max: 64 });

export function arbitraryOf({ section, key, option }: NamedOption): fc.Arbitrary<unknown> {
  const known = byOption[`${section}.${key}`];
  if (known !== undefined) return known;
  if (key === "listen" || key === "publicListen") return hostPort;
  if (key.endsWith("Ms")) return modest;
  if (typeof option.example === "number") return few;
  if (typeof option.example === "boolean") return fc.boolean();
  throw new Error(`say in testing/arbitrary.ts what values ${section}.${key} takes`);
}

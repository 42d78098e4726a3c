import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { DsmError } from "@dsm/protocol";
import fc from "fast-check";
import { parseCatalogUrl } from "./target.ts";

test("SQLite URLs are paths as they stand", () => {
  const shown = "sqlite:/var/a b/%41?.db";
  const sqlite = { dialect: "sqlite", path: "/var/a b/%41?.db", shown } as const;
  expect(parseCatalogUrl("sqlite:/var/a b/%41?.db")).toEqual(sqlite);
  expect(parseCatalogUrl("sqlite:///var/a b/%41?.db")).toEqual(sqlite);
  expect(parseCatalogUrl("sqlite:x/c.db")).toMatchObject({ path: resolve("x/c.db") });
});

test("MySQL URLs are percent-decoded, and shown without the password", () => {
  const expected = {
    dialect: "mysql",
    servers: [{ host: "db.example", port: 3306 }],
    user: "d:m",
    password: "p@ss/wörd?",
    database: "media",
    shown: "mysql://d:m@db.example:3306/media",
  } as const;
  expect(parseCatalogUrl("mysql://d%3Am:p%40ss%2Fw%C3%B6rd%3F@db.example/media")).toEqual(expected);
  expect(parseCatalogUrl("mariadb://u@[::1]:3307/m")).toEqual({
    ...expected,
    servers: [{ host: "::1", port: 3307 }],
    user: "u",
    password: "",
    database: "m",
    shown: "mysql://u@[::1]:3307/m",
  });
  for (const port of [80, 443, 3306, 65_535]) {
    expect(parseCatalogUrl(`mysql://u:80@h:${port}/m`)).toMatchObject({
      servers: [{ port }],
    });
  }
  expect(parseCatalogUrl("mysql://u:80@h/m80")).toMatchObject({
    servers: [{ port: 3306 }],
    password: "80",
  });
});

test("the servers of a Galera cluster stand in one URL, in their order", () => {
  expect(parseCatalogUrl("mysql://u:p,@h1,[fd00::2]:3307,10.0.0.3:80/m")).toEqual({
    dialect: "mysql",
    servers: [
      { host: "h1", port: 3306 },
      { host: "fd00::2", port: 3307 },
      { host: "10.0.0.3", port: 80 },
    ],
    user: "u",
    password: "p,",
    database: "m",
    shown: "mysql://u@h1:3306,[fd00::2]:3307,10.0.0.3:80/m",
  });
});

test("what is no catalog URL is refused without a word of it", () => {
  const urls = [
    "",
    "/var/secret.db",
    "postgres://u:secret@h/m",
    "sqlite:",
    "sqlite::memory:",
    "sqlite:/a\0b",
    "mysql://u:secret@/m",
    "mysql://h/m",
    "mysql://u:secret@h",
    "mysql://u:secret@h/",
    "mysql://u:secret@h/a/b",
    "mysql://u:secret@h:port/m",
    "mysql://u:secret@h/m?x=1",
    "mysql://u:secr#et@h/m",
    "mysql://u:secret%zz@h/m",
    "mysql:u:secret@h/m",
    "mysql://u:secret@h,/m",
    "mysql://u:secret@,h/m",
    "mysql://u:secret@h,i:port/m",
    "mysql://u:secret@h,H:3306/m",
    `mysql://u:secret@${Array.from({ length: 17 }, (_, i) => `h${i}`).join()}/m`,
  ];
  for (const url of urls) {
    const refused = expect(() => parseCatalogUrl(url));
    refused.toThrow(expect.objectContaining({ code: "BAD_CONFIG" }));
    refused.not.toThrow("secret");
  }
});

test("any password gets through, and no other text is ever thrown", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string(), (password, junk) => {
      const url = `mysql://u:${encodeURIComponent(password)}@h/m`;
      expect(parseCatalogUrl(url)).toMatchObject({ password, shown: "mysql://u@h:3306/m" });
      const several = parseCatalogUrl(url.replace("@h/m", "@h,i/m"));
      expect(several).toMatchObject({ password, shown: "mysql://u@h:3306,i:3306/m" });
      try {
        parseCatalogUrl(`mysql:${junk}`);
      } catch (error) {
        expect(error).toBeInstanceOf(DsmError);
      }
    }),
  );
});

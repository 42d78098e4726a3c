import { expect, test } from "bun:test";
import { join } from "node:path";
import {
  generateMySQLDrizzleJson,
  generateMySQLMigration,
  generateSQLiteDrizzleJson,
  generateSQLiteMigration,
} from "drizzle-kit/api";
import { bundledMigrations, migrationsFolder, newestBreaking } from "./migrations.ts";
import * as mysqlSchema from "./schema/mysql.ts";
import * as sqliteSchema from "./schema/sqlite.ts";

/** The schema as it was when the newest migration was made. */
async function newestSnapshot(dialect: "sqlite" | "mysql") {
  const number = String(bundledMigrations(dialect).length - 1).padStart(4, "0");
  return Bun.file(join(migrationsFolder(dialect), "meta", `${number}_snapshot.json`)).json();
}

// When this fails: `DSM_DIALECT=sqlite bunx drizzle-kit generate`, the same with mysql, commit.
test("the migrations of SQLite lead to the schema", async () => {
  const schema = await generateSQLiteDrizzleJson(sqliteSchema);
  expect(await generateSQLiteMigration(await newestSnapshot("sqlite"), schema)).toEqual([]);
});

test("the migrations of MySQL lead to the schema", async () => {
  const schema = await generateMySQLDrizzleJson(mysqlSchema);
  expect(await generateMySQLMigration(await newestSnapshot("mysql"), schema)).toEqual([]);
});

// When this fails: count the new migration as `newestBreaking`, and say so in the release notes.
test("a migration behind the newest breaking one only adds", () => {
  const adds =
    /^\s*(?:--.*\n)*(?:CREATE (?:UNIQUE )?INDEX|CREATE TABLE|ALTER TABLE \S+ ADD |UPDATE )/;
  const demands = /^\s*ALTER TABLE .*NOT NULL(?!.*DEFAULT)/;
  const [first, ...later] = bundledMigrations("sqlite").slice(newestBreaking);
  expect(first).toBeDefined();
  const statements = later.flatMap(({ sql }) => sql);
  expect(statements.filter((text) => !adds.test(text) || demands.test(text))).toEqual([]);
});

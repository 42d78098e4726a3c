import { expect, test } from "bun:test";
import { join } from "node:path";
import { migrateCatalog, openCatalog } from "@dsm/catalog";
import { Journal, readRecords } from "@dsm/journal";
import { silentLog } from "@dsm/log";
import { tempDir } from "@dsm/testkit";
import { UserJournal } from "./user-journal.ts";

test("users of the group are journaled when they come and when they change", async () => {
  await using dir = await tempDir();
  const root = dir.path;
  const url = `sqlite:${join(root, "catalog.db")}`;
  await migrateCatalog(url);
  await using catalog = await openCatalog(url);
  const journaled = async () => {
    const lines = await Array.fromAsync(readRecords(root));
    return lines.flatMap((line) =>
      "record" in line && line.record.kind === "user"
        ? [`${line.record.name} ${line.record.group} ${line.record.quotaBytes}`]
        : [],
    );
  };
  const life = async (name: string, work: (users: UserJournal) => Promise<void>) => {
    await using journal = await Journal.open(root, "s1", name);
    const options = { root, storageId: "s1", group: "g1", journal, catalog, log: silentLog };
    await using users = new UserJournal(options);
    await work(users);
  };
  await catalog.assignGroup("ann", "g1", Date.now() - 3_600_000);
  await catalog.assignGroup("bob", "g2", Date.now());
  await life("a", async (users) => {
    await users.journalChanges();
    expect(await journaled()).toEqual(["ann g1 undefined"]);
    await users.journalChanges();
    await catalog.setQuota("ann", 1000, Date.now());
    await users.journalChanges();
    await users.journalChanges();
    expect(await journaled()).toEqual(["ann g1 undefined", "ann g1 1000"]);
  });
  await life("b", async (users) => {
    await catalog.assignGroup("cyd", "g1", Date.now());
    await users.journalChanges();
    // Ann changed so lately that a clock which goes wrong could hide it: once more does no harm.
    expect((await journaled()).slice(2).toSorted()).toEqual(["ann g1 1000", "cyd g1 undefined"]);
    await users.journalChanges();
    expect((await journaled()).length).toBe(4);
  });
});

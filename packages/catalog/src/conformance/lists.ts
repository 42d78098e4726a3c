import { expect, test } from "bun:test";
import { type Catalog, type ListQuery } from "../index.ts";
import { type Backend, deletion, openShared, overwrite, put, uniqueName } from "./backend.ts";

const top = "\u{10FFFF}";
const nowMs = 1_000;

async function idsOf(
  catalog: Catalog,
  query: Omit<ListQuery, "limit" | "nowMs">,
): Promise<string[]> {
  return (await catalog.list({ ...query, limit: 1_000, nowMs })).files.map((file) => file.fileId);
}

export function describeLists(backend: Backend): void {
  test("names are kept apart and ordered byte by byte", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("ann");
    // Case, trailing space, both normalization forms, U+FFFF before U+10000, quotes, backslash.
    const ids = ["A", "a", "a ", "a/b", "a\\'\"`%_?", "e\u0301", "ß", "é", "\uFFFF", "😀", top];
    const changes = ids.toReversed().map((fileId) => put({ user, fileId }));
    expect(await catalog.commit(changes)).toEqual(ids.map(() => "in force"));
    expect(await idsOf(catalog, { user })).toEqual(ids);
    for (const { file } of changes) {
      expect(await catalog.current(user, file.fileId)).toEqual({ version: 1, file });
    }
  });

  test("a prefix is bytes: no wildcards, no end at the last code point", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("bob");
    const ids = ["a%b", "axb", "a_b", "b", "é", "éa", `é${top}`, `é${top}${top}x`, "ê", top];
    await catalog.commit([...ids, `${top}${top}`].map((fileId) => put({ user, fileId })));
    const found = async (prefix: string) => idsOf(catalog, { user, prefix });
    expect(await found("a%")).toEqual(["a%b"]);
    expect(await found("a_")).toEqual(["a_b"]);
    expect(await found("A")).toEqual([]);
    expect(await found("é")).toEqual(["é", "éa", `é${top}`, `é${top}${top}x`]);
    expect(await found(`é${top}`)).toEqual([`é${top}`, `é${top}${top}x`]);
    expect(await found(top)).toEqual([top, `${top}${top}`]);
  });

  test("pages go by key, without deleted files and old versions", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("cid");
    const files = ["a", "b", "c", "d", "e"].map((fileId) => put({ user, fileId }));
    await catalog.commit(files);
    const [a, b, c, d, e] = files.map((change) => change.file);
    if (!a || !b || !c || !d || !e) throw new Error("five files were made");
    const newC = overwrite(c);
    await catalog.commit([deletion(b), newC]);
    expect(await catalog.list({ user, nowMs, limit: 2 })).toEqual({
      files: [a, newC.file],
      next: "c",
    });
    expect(await catalog.list({ user, nowMs, limit: 2, after: "c" })).toEqual({ files: [d, e] });
    expect(await catalog.list({ user, nowMs, limit: 3, after: "a", prefix: "" })).toEqual({
      files: [newC.file, d, e],
    });
    expect(await catalog.list({ user: uniqueName("nobody"), nowMs, limit: 1 })).toEqual({
      files: [],
    });
  });

  test("a bad query is refused", async () => {
    await using catalog = await openShared(backend);
    for (const query of [{ limit: 0 }, { limit: 1_001 }, { limit: 1, prefix: "\ud800" }]) {
      const listed = catalog.list({ user: "ann", nowMs, ...query });
      await expect(listed).rejects.toMatchObject({ code: "BAD_REQUEST" });
    }
  });
}

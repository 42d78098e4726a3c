import { expect, test } from "bun:test";
import { type Backend, deletion, openShared, put, uniqueName } from "./backend.ts";

export function describeUsers(backend: Backend): void {
  test("the first group of a user stays", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("ann");
    expect(await catalog.groupOf(user)).toBeUndefined();
    expect(await catalog.assignGroup(user, "g1", 1)).toBe("g1");
    expect(await catalog.assignGroup(user, "g2", 2)).toBe("g1");
    expect(await catalog.groupOf(user)).toBe("g1");
  });

  test("names that differ in case alone are two users", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("bob");
    await catalog.assignGroup(user, "g1", 1);
    await catalog.assignGroup(user.toUpperCase(), "g2", 1);
    expect(await catalog.groupOf(user)).toBe("g1");
    expect(await catalog.groupOf(user.toUpperCase())).toBe("g2");
  });

  test("a user without files moves, and a new one may be placed", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("cid");
    await catalog.reassignGroup(user, "g1", 1);
    expect(await catalog.groupOf(user)).toBe("g1");
    const { file } = put({ user, fileId: "a" });
    await catalog.commit([{ kind: "put", file }]);
    await catalog.commit([deletion(file)]);
    await catalog.reassignGroup(user, "g2", 2);
    expect(await catalog.groupOf(user)).toBe("g2");
  });
}

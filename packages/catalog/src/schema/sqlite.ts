import { defineTables } from "./define.ts";
import { sqliteKit } from "./sqlite-kit.ts";

export const { users, versions, userUsage, groups, idSegments } = defineTables(sqliteKit);

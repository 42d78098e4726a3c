import { defineTables } from "./define.ts";
import { sqliteKit } from "./sqlite-kit.ts";

export const { users, versions, userUsage, idSegments } = defineTables(sqliteKit);

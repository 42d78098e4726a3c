import { defineTables } from "./define.ts";
import { mysqlKit } from "./mysql-kit.ts";

export const { users, versions, userUsage, groups, idSegments } = defineTables(mysqlKit);

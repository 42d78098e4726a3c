import { describe } from "bun:test";
import type { Backend } from "./conformance/backend.ts";
import { describeCommits } from "./conformance/commits.ts";
import { describeLists } from "./conformance/lists.ts";
import { describeMigrations } from "./conformance/migrations.ts";
import { describeModel } from "./conformance/model.ts";
import { describeMoves } from "./conformance/moves.ts";
import { describeQuotas } from "./conformance/quotas.ts";
import { describeRaces } from "./conformance/races.ts";
import { describeTrash } from "./conformance/trash.ts";
import { describeUpkeep } from "./conformance/upkeep.ts";
import { describeUsers } from "./conformance/users.ts";

/** What every catalog must do, whatever database is under it. */
export function describeCatalog(backend: Backend): void {
  const why = backend.missing === undefined ? "" : ` (skipped: ${backend.missing})`;
  describe.skipIf(backend.missing !== undefined)(`catalog on ${backend.name}${why}`, () => {
    describe("users", () => describeUsers(backend));
    describe("moves", () => describeMoves(backend));
    describe("commits", () => describeCommits(backend));
    describe("lists", () => describeLists(backend));
    describe("trash", () => describeTrash(backend));
    describe("quotas", () => describeQuotas(backend));
    describe("upkeep", () => describeUpkeep(backend));
    describe("races", () => describeRaces(backend));
    describe("migrations", () => describeMigrations(backend));
    describe("model", () => describeModel(backend));
  });
}

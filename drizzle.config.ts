import type { Config } from "drizzle-kit";

/**
 * One configuration for both dialects of the catalog. After a change of the schema run
 * `DSM_DIALECT=sqlite bunx drizzle-kit generate` and the same with `mysql`, and commit both.
 */
const dialect = process.env["DSM_DIALECT"] === "mysql" ? "mysql" : "sqlite";

export default {
  dialect,
  schema: `./packages/catalog/src/schema/${dialect}.ts`,
  out: `./packages/catalog/migrations/${dialect}`,
} satisfies Config;

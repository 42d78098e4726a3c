/** What of the one table of limits binds the SQL catalog; `limits` has all of them. */
export const catalogLimits = {
  /** Connections of one process to a MySQL-protocol catalog. */
  catalogConnectionsMax: 8,
  /** Statements of one process that wait for a connection to the catalog, and for how long. */
  catalogQueueMax: 1_024,
  catalogQueueTimeoutMs: 2_000,
  catalogQueryTimeoutMs: 3_000,
  /** Servers that one catalog URL names. */
  catalogServersMax: 16,
  /** Where it names several: how often each of them is asked whether it is well, */
  catalogProbeMs: 500,
  /** how long its answer may take before statements go to another one, */
  catalogProbeTimeoutMs: 1_000,
  /** and how long one has to be well without a break before it is gone back to. */
  catalogReturnMs: 5_000,
  /** Statements wait so long for one to be well after the last of them was lost, no longer. */
  catalogSwitchMs: 3_000,
  /** A statement is tried again, on whatever server, for so long at most. */
  catalogRetryForMs: 4_000,
  /** How long SQLite waits for a writer of another process; it blocks the thread meanwhile. */
  catalogBusyTimeoutMs: 2_000,
  /** Pages of a SQLite catalog that a process keeps in memory, once it has read so many. */
  catalogCacheKiB: 32 * 1024,
  /** Tries of one catalog statement that meets a deadlock, or a lease that others are faster at. */
  catalogRetryMax: 32,
  /** Rows that a restore or a rebuild writes in one transaction; fewer where that is slow. */
  catalogLoadRowsMax: 5_000,
  catalogLoadRowsMin: 100,
  /** How long such a job waits for a catalog that has gone away, and how often it looks. */
  catalogLoadPatienceMs: 60_000,
  catalogLoadRetryMs: 250,
  /** How long a migration waits for another process that migrates. */
  catalogMigrateTimeoutMs: 60_000,
  /** On Galera: how often one that migrates says so, and what silence means that it is dead. */
  catalogMigrateBeatMs: 1_000,
  catalogMigrateStaleMs: 10_000,
} as const;

import { setDefaultTimeout } from "bun:test";

/**
 * Tests wait for conditions, never for the clock; this bound only ends one that hangs. It is wide
 * because real players and databases share two noisy cores here.
 */
setDefaultTimeout(120_000);

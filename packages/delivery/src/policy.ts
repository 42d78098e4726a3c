/** What an operator decides of the answers that carry a file, or say that it has not changed. */
export interface ServingPolicy {
  /** The value of Cache-Control. */
  readonly cacheControl: string;
  /** The value of Vary; absent where the answers do not depend on the request's headers. */
  readonly vary?: string | undefined;
}

/** As the options of a server give it; both may be left out. */
export interface PolicyOptions {
  /** The Cache-Control of media that everybody may read; `no-cache` unless given. */
  readonly cacheControl?: string;
  /** The names in their Vary; none unless given. */
  readonly vary?: readonly string[];
}

/**
 * The default, `no-cache`, lets caches keep an answer and makes them ask each time, so that an
 * overwrite is seen at once.
 */
export function servingPolicy({ cacheControl, vary = [] }: PolicyOptions = {}): ServingPolicy {
  return {
    cacheControl: cacheControl ?? "no-cache",
    vary: vary.length === 0 ? undefined : vary.join(", "),
  };
}

/**
 * The policy for what not everybody may read. A cache that several clients share would go on
 * serving it when the right has expired, to those who never had it too, so only a configured
 * value that keeps it out of such caches holds (RFC 9111, sections 5.2.2.5 and 5.2.2.7).
 */
export function privatePolicy(policy: ServingPolicy): ServingPolicy {
  if (/(?:^|[,\s])(?:private|no-store)(?:$|[,\s])/i.test(policy.cacheControl)) return policy;
  return { ...policy, cacheControl: "private, no-cache" };
}

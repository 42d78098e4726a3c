/** What a run of the simulation is asked for by its environment. */
export interface LimitsOfRun {
  readonly firstSeed: number;
  readonly seeds: number;
  /** One seed alone, with its trace. */
  readonly isTraced: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** So many take about ten seconds. */
const seedsDefault = 2_000;

/**
 * `DSM_SIM_SEED=n` is that seed alone; `DSM_SIM_SEEDS=n` are so many, from the first one on or
 * from `DSM_SIM_FIRST_SEED`.
 * @throws RangeError for a variable that is no whole number
 */
export function limitsOfRun(env: Environment): LimitsOfRun {
  const onlySeed = wholeNumber(env, "DSM_SIM_SEED");
  if (onlySeed !== undefined) return { firstSeed: onlySeed, seeds: 1, isTraced: true };
  const firstSeed = wholeNumber(env, "DSM_SIM_FIRST_SEED") ?? 1;
  const seeds = wholeNumber(env, "DSM_SIM_SEEDS") ?? seedsDefault;
  return { firstSeed, seeds, isTraced: false };
}

function wholeNumber(env: Environment, name: string): number | undefined {
  const text = env[name];
  if (text === undefined || text === "") return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new RangeError(`${name} is no whole number: ${text}`);
  return Number(text);
}

/**
 * Runs `simulate` with the real clock, timers, chance and network out of reach: whatever goes past
 * the seams fails at once, instead of making a seed that cannot be repeated. Nothing else can run
 * meanwhile, for a simulation never waits.
 */
export function withoutRealWorld<T>(simulate: () => T): T {
  const places: ReadonlyArray<readonly [object, string]> = [
    [globalThis, "setTimeout"],
    [globalThis, "setInterval"],
    [globalThis, "setImmediate"],
    [globalThis, "fetch"],
    [Date, "now"],
    [Math, "random"],
    [performance, "now"],
    [crypto, "randomUUID"],
    [Bun, "connect"],
    [Bun, "listen"],
    [Bun, "sleep"],
  ];
  const undo: Array<() => void> = [];
  try {
    for (const [holder, name] of places) undo.push(forbid(holder, name));
    return simulate();
  } finally {
    for (const restore of undo) restore();
  }
}

function forbid(holder: object, name: string): () => void {
  const before: unknown = Reflect.get(holder, name);
  const forbidden = () => {
    throw new TypeError(`${name} was called in a simulation: it takes what is handed in`);
  };
  if (!Reflect.set(holder, name, forbidden)) throw new TypeError(`${name} cannot be replaced`);
  return () => void Reflect.set(holder, name, before);
}

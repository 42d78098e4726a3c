interface JoinTerms {
  /** A piece is given as soon as it has so many bytes, */
  readonly bytes: number;
  /** or when its first chunk has waited so long for more. */
  readonly waitMs: number;
}

/**
 * The same bytes in larger pieces, which hold back nothing for longer than they have to. A fetch
 * whose body comes in small chunks keeps far more of them than it can send: see docs/BUN.md.
 */
export async function* joinedChunks(
  source: AsyncIterable<Uint8Array>,
  terms: JoinTerms,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = source[Symbol.asyncIterator]();
  try {
    yield* join(chunks, terms);
  } finally {
    // Not waited for: a source that gives nothing would keep whoever leaves it.
    chunks.return?.().catch(() => undefined);
  }
}

async function* join(
  chunks: AsyncIterator<Uint8Array>,
  { bytes, waitMs }: JoinTerms,
): AsyncGenerator<Uint8Array, void, undefined> {
  let next = read(chunks);
  for (;;) {
    const first = await next;
    if (first.done === true) return;
    const parts = [first.value];
    let size = first.value.length;
    next = read(chunks);
    using late = lateAfter(waitMs);
    for (let isOpen = true; isOpen && size < bytes;) {
      const more = await Promise.race([next, late.promise]);
      isOpen = more !== undefined && more.done !== true;
      if (more === undefined || more.done === true) continue;
      parts.push(more.value);
      size += more.value.length;
      next = read(chunks);
    }
    yield parts.length === 1 ? first.value : Buffer.concat(parts, size);
  }
}

/** Its failure is told to whoever awaits it, and to nobody where that one has left. */
function read(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  const next = chunks.next();
  next.catch(() => undefined);
  return next;
}

function lateAfter(waitMs: number) {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, waitMs, undefined);
  return { promise, [Symbol.dispose]: () => clearTimeout(timer) };
}

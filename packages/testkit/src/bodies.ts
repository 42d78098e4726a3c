/** All of a stream in memory; for tests with small bodies. */
export async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

/** The JSON of a response, as the shape that the test is about to check. */
export async function jsonOf<T = { code: string; detail: string }>(response: Response): Promise<T> {
  return (await response.json()) as T;
}

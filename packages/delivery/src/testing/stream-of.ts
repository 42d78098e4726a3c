/** A stream that asks its generator for a chunk only when one is wanted, as sources should. */
export function streamOf(generate: () => AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  const chunks = generate();
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

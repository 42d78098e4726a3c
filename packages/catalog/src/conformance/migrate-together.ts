import { join } from "node:path";

const fixture = join(import.meta.dir, "migrate-fixture.ts");

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}

/**
 * Lets several processes migrate each of the URLs at the same moment, one URL after the other.
 * @returns what went wrong
 */
export async function migrateTogether(processes: number, urls: string[]): Promise<string[]> {
  const children = Array.from({ length: processes }, () => {
    const child = Bun.spawn([process.execPath, fixture], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    return { child, lines: linesOf(child.stdout) };
  });
  const answers = () => Promise.all(children.map(async ({ lines }) => (await lines.next()).value));
  const faults: string[] = [];
  await answers();
  for (const url of urls) {
    for (const { child } of children) {
      void child.stdin.write(`${url}\n`);
      void child.stdin.flush();
    }
    faults.push(...(await answers()).filter((answer) => answer !== "done").map(String));
  }
  for (const { child } of children) await child.stdin.end();
  await Promise.all(children.map(({ child }) => child.exited));
  return faults;
}

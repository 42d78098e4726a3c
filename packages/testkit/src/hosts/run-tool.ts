/** Runs a tool to its end. @returns its stdout @throws Error with all that it said */
export async function runTool(cmd: readonly string[], input = ""): Promise<string> {
  const tool = Bun.spawn([...cmd], {
    stdin: new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(tool.stdout).text(),
    new Response(tool.stderr).text(),
    tool.exited,
  ]);
  if (code === 0) return out;
  throw new Error(`${cmd.join(" ")} ended with ${code}: ${out}${err}`);
}

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, at most for a minute and a half. */
export async function runTool(
  cmd: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Said> {
  const child = Bun.spawn([...cmd], {
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 90_000,
  });
  const [code, stdout, stderr] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, stdout, stderr };
}

/** @throws Error with all that the program said, when it ends with another code than 0 */
export async function mustRun(
  cmd: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Said> {
  const said = await runTool(cmd, env);
  if (said.code === 0) return said;
  const end = (text: string) => text.slice(-4_000);
  throw new Error(
    `${cmd.join(" ")} ended with ${said.code}\n${end(said.stdout)}${end(said.stderr)}`,
  );
}

export { generatedDocs } from "./docs/files.ts";
export { runCli } from "./run.ts";

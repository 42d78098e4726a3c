import { generatedDocs } from "./files.ts";

await Promise.all(generatedDocs.map(({ path, make }) => Bun.write(path, make())));
console.log(generatedDocs.map(({ path }) => path).join("\n"));

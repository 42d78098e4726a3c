import { join } from "node:path";
import { configMarkdown } from "@dsm/config";
import { doctorMarkdown } from "./doctor-markdown.ts";
import { protocolMarkdown } from "./protocol-markdown.ts";

const docsFolder = join(import.meta.dir, "../../../../docs");

/** The pages that are made from tables in the code. */
export const generatedDocs = [
  { path: join(docsFolder, "PROTOCOL.md"), make: protocolMarkdown },
  { path: join(docsFolder, "CONFIG.md"), make: configMarkdown },
  { path: join(docsFolder, "DOCTOR.md"), make: doctorMarkdown },
] as const;

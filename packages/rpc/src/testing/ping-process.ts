import { idServer } from "./servers.ts";

/** An ID server as a process, for tests that let it hang. */
console.log(`listens on ${idServer().endpoint}`);

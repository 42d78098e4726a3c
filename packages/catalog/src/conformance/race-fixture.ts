import { blobIdFromNumber } from "@dsm/protocol";
import { openCatalog } from "../index.ts";

/** What one of several processes that do the same at once got. */
export interface RaceResult {
  readonly group: string;
  readonly firsts: number[];
  /** The file ids whose first version is this process's. */
  readonly won: string[];
}

const rounds = 25;

async function race(args: string[]): Promise<RaceResult> {
  const [url = "", user = "", segment = "", group = ""] = args;
  await using catalog = await openCatalog(url);
  const inForce = await catalog.assignGroup(user, group, 1);
  const firsts: number[] = [];
  const won: string[] = [];
  for (let i = 0; i < rounds; i++) {
    const { first } = await catalog.leaseSegment(segment, 3);
    firsts.push(first);
    const fileId = `f${i}`;
    const [mine] = await catalog.commit([
      {
        kind: "put",
        file: {
          user,
          fileId,
          group: inForce,
          blobId: blobIdFromNumber(2 ** 40 + first),
          version: 1,
          sizeBytes: i,
          sha256: "cd".repeat(32),
          mediaType: "image/png",
          modifiedAtMs: i,
        },
      },
    ]);
    if (mine === "in force") won.push(fileId);
  }
  return { group: inForce, firsts, won };
}

if (import.meta.main) console.log(JSON.stringify(await race(Bun.argv.slice(2))));

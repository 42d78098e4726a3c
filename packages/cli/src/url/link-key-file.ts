import { readPrivateFile } from "@dsm/config";
import { DsmError, type LinkKey, linkKeyRule, readLinkKey } from "@dsm/protocol";

/**
 * The keys of a file with one `ID:SECRET` a line, the one that signs first.
 * @param place names where the path was set, for errors
 * @throws DsmError BAD_CONFIG when it cannot be read, is open to others or holds no keys
 */
export async function readLinkKeyFile(path: string, place: string): Promise<readonly LinkKey[]> {
  const lines = (await readPrivateFile(path, place)).split(/\s*\n\s*/);
  return lines.map((line, index) => {
    const reading = readLinkKey(line);
    if ("value" in reading) return reading.value;
    throw new DsmError("BAD_CONFIG", `${path}: key ${index + 1} is wrong: ${reading.fault}`, {
      remedy: `write ${linkKeyRule}, one on each line`,
    });
  });
}

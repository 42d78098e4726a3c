import { sampleToml } from "@dsm/config";
import { say } from "../stdout.ts";
import { command } from "../strict.ts";

export const config = command({
  args: {},
  async run({ json }) {
    const toml = sampleToml();
    await say(json ? `${JSON.stringify({ toml })}\n` : toml);
    return 0;
  },
});

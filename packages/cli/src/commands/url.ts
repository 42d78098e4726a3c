import { DsmError, LinkKeys, mediaPath, parseLinkRequest, signLink } from "@dsm/protocol";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { askGateway } from "../url/ask-gateway.ts";
import { findLinkSource } from "../url/link-source.ts";
import { linkRequestOf, restricts } from "../url/link-terms.ts";
import { userArg } from "../user-arg.ts";

export const url = command({
  args: {
    fileid: { type: "positional", required: true, description: "The file." },
    ...userArg,
    expires: {
      type: "string",
      valueHint: "SPAN|TIME",
      description: "Good for so long (90m, 24h, 7d), or until then. (Default: 1h)",
    },
    "not-before": {
      type: "string",
      valueHint: "SPAN|TIME",
      description: "Good only from then on, as 2026-12-24T18:00:00Z, or 10m from now.",
    },
    prefix: { type: "boolean", description: "FILEID is a folder: open all files below it." },
    "download-only": { type: "boolean", description: "Saved and not played." },
    "client-address": {
      type: "string",
      valueHint: "IP",
      description: "Good from this address alone.",
    },
    gateway: {
      type: "string",
      valueHint: "URL",
      description: "What the link begins with. (Default: DSM_PUBLIC_URL, ./.dsm/cluster.json)",
    },
    "key-file": {
      type: "string",
      valueHint: "PATH",
      description:
        "File with link keys, ID:SECRET a line. (Default: DSM_LINK_KEYS, ./.dsm/cluster.json, " +
        "else the gateway signs, with DSM_WRITE_KEY)",
    },
    config: { type: "string", valueHint: "PATH", description: "TOML file. (Default: DSM_CONFIG)" },
  },
  async run({ args, json, signal }) {
    const request = linkRequestOf(args, Date.now());
    const { gateway, keys, writeKey } = await findLinkSource(args);
    if (keys.length > 0) {
      const signed = signLink(new LinkKeys(keys), parseLinkRequest(request, Date.now()));
      const answer = { url: `${gateway}${signed.path}`, ...signed };
      await sayResult(json, answer, [answer.url]);
      return 0;
    }
    try {
      const answer = await askGateway(gateway, request, { writeKey, signal });
      await sayResult(json, answer, [answer.url]);
    } catch (error) {
      // A gateway without keys lets everybody read, so the bare URL does where no more is asked.
      const hasNoKeys = error instanceof DsmError && error.code === "UNKNOWN_ROUTE";
      if (!hasNoKeys || restricts(args)) throw error;
      const path = mediaPath(args.user, args.fileid);
      await sayResult(json, { url: `${gateway}${path}`, path }, [`${gateway}${path}`]);
    }
    return 0;
  },
});

const tools = ["unshare", "nsenter", "setpriv", "ip", "nft", "perl", "python3"];

/** Why there can be no hosts on this machine; undefined where there can. */
export const hostsMissing = whyMissing();

function whyMissing(): string | undefined {
  if (process.platform !== "linux") return "hosts in a box need Linux";
  if (process.getuid?.() !== 0) return "root is needed to make network namespaces";
  const missing = tools.filter((tool) => Bun.which(tool) === null);
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
}

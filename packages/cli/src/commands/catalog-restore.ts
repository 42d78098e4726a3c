import { openCatalogToLoad } from "@dsm/catalog";
import { BackupSource, restoreBackup } from "@dsm/recovery";
import { catalogArgs, namedCatalog, noCatalog } from "../catalog/catalog-url.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { timeText } from "../table.ts";
import { workBar } from "../work-bar.ts";

export const catalogRestore = command({
  args: {
    file: {
      type: "positional",
      required: true,
      description: "What dsm catalog backup wrote, compressed or not. - for stdin.",
    },
    ...catalogArgs,
    catalog: {
      type: "string",
      valueHint: "URL",
      description: "An empty catalog, of either kind. (Default: DSM_CATALOG, the config file)",
    },
  },
  async run({ args, json, signal }) {
    const url = await namedCatalog(args);
    if (url === undefined) throw noCatalog();
    await using source =
      args.file === "-"
        ? await BackupSource.spool("standard input", Bun.stdin.stream())
        : await BackupSource.open(args.file);
    using bar = workBar(json);
    const { header, ...counts } = await restoreBackup({
      source,
      openLoad: (job) => openCatalogToLoad(url, job),
      onProgress: (progress) => bar.show(progress),
      signal,
    });
    bar[Symbol.dispose]();
    await sayResult(json, { ...counts, createdAtMs: header.createdAtMs }, [
      `restored ${counts.users} users and ${counts.versions} versions ` +
        `as they were at ${timeText(header.createdAtMs)}`,
    ]);
    return 0;
  },
});

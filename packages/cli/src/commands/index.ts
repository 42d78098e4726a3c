import type { CommandEntry } from "../strict.ts";

/** The table of commands. A module is loaded when its command runs, so that each starts fast. */
export const rootCommand: CommandEntry = {
  name: "dsm",
  summary: "Stores audio, video and images on your own servers and plays them over HTTP.",
  subCommands: [
    {
      name: "up",
      summary: "Run a whole cluster in one process.",
      load: async () => (await import("./up.ts")).up,
    },
    {
      name: "upload",
      summary: "Upload files, folders or standard input.",
      load: async () => (await import("./upload.ts")).upload,
    },
    {
      name: "download",
      summary: "Download a file, resumed and checked.",
      load: async () => (await import("./download.ts")).download,
    },
    {
      name: "delete",
      summary: "Delete files.",
      load: async () => (await import("./delete.ts")).deleteFiles,
    },
    {
      name: "list",
      summary: "List the files of a user.",
      load: async () => (await import("./list.ts")).list,
    },
    {
      name: "stat",
      summary: "Show what is known of a file.",
      load: async () => (await import("./stat.ts")).stat,
    },
    {
      name: "url",
      summary: "Make a link to a file, signed and expiring.",
      load: async () => (await import("./url.ts")).url,
    },
    {
      name: "trash",
      summary: "What was deleted or replaced a while ago.",
      subCommands: [
        {
          name: "list",
          summary: "List what of a user can be restored.",
          load: async () => (await import("./trash-list.ts")).trashList,
        },
        {
          name: "restore",
          summary: "Bring files back from the trash.",
          load: async () => (await import("./trash-restore.ts")).trashRestore,
        },
        {
          name: "empty",
          summary: "Remove what is in the trash now, for good.",
          load: async () => (await import("./trash-empty.ts")).trashEmpty,
        },
      ],
    },
    {
      name: "usage",
      summary: "Show the space of a user, or of the groups.",
      load: async () => (await import("./usage.ts")).usage,
    },
    {
      name: "status",
      summary: "Show the groups and their storages.",
      load: async () => (await import("./status.ts")).status,
    },
    {
      name: "doctor",
      summary: "Look for what operators get wrong, and say what to do.",
      load: async () => (await import("./doctor.ts")).doctor,
    },
    {
      name: "ping",
      summary: "Ask one process whether it is alive, as health checks do.",
      load: async () => (await import("./ping.ts")).ping,
    },
    {
      name: "fsck",
      summary: "Compare the catalog, the journals and the disks, and mend what differs.",
      load: async () => (await import("./fsck.ts")).fsck,
    },
    {
      name: "scrub",
      summary: "Show how the search for damaged bytes stands, or begin one.",
      load: async () => (await import("./scrub.ts")).scrub,
    },
    {
      name: "user",
      summary: "Where users live, and how much they may have.",
      subCommands: [
        {
          name: "assign",
          summary: "Put a user into a group; files that lie elsewhere move there.",
          load: async () => (await import("./user-assign.ts")).userAssign,
        },
        {
          name: "moves",
          summary: "Show which files still have to move to the groups of their users.",
          load: async () => (await import("./user-moves.ts")).userMoves,
        },
        {
          name: "quota",
          summary: "Set how many bytes the files of a user may have.",
          load: async () => (await import("./user-quota.ts")).userQuota,
        },
      ],
    },
    {
      name: "tracker",
      summary: "Run a tracker.",
      load: async () => (await import("./tracker.ts")).tracker,
    },
    {
      name: "id",
      summary: "Run an ID server.",
      load: async () => (await import("./id.ts")).id,
    },
    {
      name: "storage",
      summary: "Run a storage.",
      load: async () => (await import("./storage.ts")).storage,
      subCommands: [
        {
          name: "drain",
          summary: "Stop naming a storage to clients, or name it again.",
          load: async () => (await import("./storage-drain.ts")).storageDrain,
        },
        {
          name: "remove",
          summary: "Let the trackers forget a storage that is stopped for good.",
          load: async () => (await import("./storage-remove.ts")).storageRemove,
        },
      ],
    },
    {
      name: "gateway",
      summary: "Run a gateway.",
      load: async () => (await import("./gateway.ts")).gateway,
    },
    {
      name: "config",
      summary: "Print a commented sample of the configuration file.",
      load: async () => (await import("./config.ts")).config,
    },
    {
      name: "catalog",
      summary: "The SQL catalog.",
      subCommands: [
        {
          name: "migrate",
          summary: "Bring the tables of the catalog to this version.",
          load: async () => (await import("./catalog-migrate.ts")).catalogMigrate,
        },
        {
          name: "backup",
          summary: "Write the whole catalog to a file, while the cluster runs.",
          load: async () => (await import("./catalog-backup.ts")).catalogBackup,
        },
        {
          name: "restore",
          summary: "Fill an empty catalog from a backup, also of another database.",
          load: async () => (await import("./catalog-restore.ts")).catalogRestore,
        },
        {
          name: "rebuild",
          summary: "Fill an empty catalog from the journals and blobs of the groups.",
          load: async () => (await import("./catalog-rebuild.ts")).catalogRebuild,
        },
      ],
    },
  ],
};

import { z } from "zod";
import {
  blobIdSchema,
  countSchema,
  fileIdSchema,
  fileInfoSchema,
  intentSchema,
  nameSchema,
  timeMsSchema,
} from "./file-info.ts";
import { limits } from "./limits.ts";
import { moveSchema, spaceSchema, trashedFileSchema, userUsageSchema } from "./stored-space.ts";

/** Who may stand at an end of a TCP connection. `client` is the SDK, and so the CLI too. */
export const roles = ["tracker", "id", "storage", "gateway", "client"] as const;
export type Role = (typeof roles)[number];

interface MessageRow {
  /** The number on the wire. Never used again for another message. */
  readonly type: number;
  readonly servedBy: readonly Role[];
  readonly askedBy: readonly Role[];
  readonly doc: string;
  readonly request: z.ZodType;
  readonly response: z.ZodType;
}

/** What a storage says of itself with every beat. */
const storageStateSchema = z.object({
  storageId: nameSchema,
  group: nameSchema,
  /** Where trackers, gateways and clients inside the cluster reach its data port. */
  dataUrl: z.url(),
  /** Where the public reaches it; equal to dataUrl unless configured. */
  publicUrl: z.url(),
  freeBytes: countSchema,
  totalBytes: countSchema,
  /** No room for new blobs: less is free than its reserve, or the disk has refused more. */
  full: z.boolean(),
  /** What it keeps free; absent from an older dsm. */
  reserveBytes: countSchema.optional(),
  /** Writing to its disk fails: no writes until its own probe succeeds again. */
  failing: z.boolean().optional(),
  /** Requests on its data port right now. */
  activeRequests: countSchema,
  /** Why files of users who were moved to its group cannot follow, as far as it moves them. */
  movesHeldUp: z.string().max(limits.heldUpMaxChars).optional(),
  draining: z.boolean(),
  /** It takes the digest of an upload behind its bytes (`digestAtEnd` in digest-header.ts). */
  digestAtEnd: z.boolean().optional(),
  /** A UUID of version 7, made at each start: of two lives the later one has the greater. */
  incarnation: z.string().min(1).max(64),
  softwareVersion: z.string().max(64),
});
export type StorageState = z.infer<typeof storageStateSchema>;

const memberSchema = storageStateSchema.extend({
  online: z.boolean(),
  lastBeatAtMs: timeMsSchema,
  joinedAtMs: timeMsSchema,
});
export type Member = z.infer<typeof memberSchema>;

const storageAddressSchema = z.object({
  storageId: nameSchema,
  dataUrl: z.url(),
  publicUrl: z.url(),
  /** As the storage says of itself. */
  digestAtEnd: z.boolean().optional(),
});
export type StorageAddress = z.infer<typeof storageAddressSchema>;

const everyone: readonly Role[] = roles;
const readers = ["client", "gateway"] as const;

/** The one table of messages: types, checks and docs/PROTOCOL.md come from it. */
export const messages = {
  ping: {
    type: 1,
    servedBy: ["tracker", "id"],
    askedBy: everyone,
    doc: "Is this server alive? Answers with its role and its time.",
    request: z.object({}),
    response: z.object({ role: z.enum(roles), nowMs: timeMsSchema }),
  },
  join: {
    type: 16,
    servedBy: ["tracker"],
    askedBy: ["storage"],
    doc:
      "A storage enters its group. A second join of the same storage replaces the first; one of an " +
      "earlier life, or of one that has left, is late and gets CONFLICT.",
    request: storageStateSchema,
    response: z.object({ heartbeatIntervalMs: countSchema }),
  },
  heartbeat: {
    type: 17,
    servedBy: ["tracker"],
    askedBy: ["storage"],
    doc:
      "A storage is alive, with its load and space. From a storage that the tracker does not " +
      "know it is answered with JOIN_FIRST.",
    request: storageStateSchema,
    response: z.object({
      /** An operator asked this tracker to drain the storage, or to end that; else absent. */
      drain: z.boolean().optional(),
    }),
  },
  leave: {
    type: 18,
    servedBy: ["tracker"],
    askedBy: ["storage"],
    doc: "A storage stops in order; it is offline at once.",
    request: z.object({ storageId: nameSchema, incarnation: z.string() }),
    response: z.object({}),
  },
  locate: {
    type: 32,
    servedBy: ["tracker"],
    askedBy: readers,
    doc:
      "Which group holds this user, and which of its storages to ask, best first, with a " +
      "capability for them. A write by a new user assigns a group; nothing else makes a user. A read with a file id " +
      "answers with the file's current version and a capability pinned to it. `group`, without " +
      "that, asks for the storages of another group, where blobs of the user may lie as well.",
    request: z.object({
      user: nameSchema,
      intent: intentSchema,
      fileId: fileIdSchema.optional(),
      group: nameSchema.optional(),
      /** False: who asks has an older answer, and is told at once that the catalog is down. */
      mayWait: z.boolean().optional(),
    }),
    response: z.object({
      group: nameSchema,
      storages: z.array(storageAddressSchema).min(1),
      capability: z.string(),
      expiresAtMs: timeMsSchema,
      file: fileInfoSchema.optional(),
    }),
  },
  stat: {
    type: 33,
    servedBy: ["tracker"],
    askedBy: readers,
    doc: "The current version of a file.",
    request: z.object({ user: nameSchema, fileId: fileIdSchema }),
    response: fileInfoSchema,
  },
  list: {
    type: 34,
    servedBy: ["tracker"],
    askedBy: readers,
    doc:
      "The files of a user in the order of the bytes of their ids, from the first id behind " +
      "`after` on. `next`, when present, is the `after` of the next page.",
    request: z.object({
      user: nameSchema,
      prefix: z.string().max(limits.fileIdMaxBytes).optional(),
      after: z.string().max(limits.fileIdMaxBytes).optional(),
      limit: z.number().int().min(1).max(limits.listMax),
    }),
    response: z.object({
      files: z.array(fileInfoSchema),
      next: z.string().optional(),
    }),
  },
  status: {
    type: 35,
    servedBy: ["tracker"],
    askedBy: everyone,
    doc: "The groups and their members as this tracker sees them.",
    request: z.object({}),
    response: z.object({
      startedAtMs: timeMsSchema,
      softwareVersion: z.string(),
      groups: z.array(z.object({ group: nameSchema, members: z.array(memberSchema) })),
    }),
  },
  assign: {
    type: 36,
    servedBy: ["tracker"],
    askedBy: ["client"],
    doc:
      "Make a group that of a user. New files go there at once, and the storages of the group " +
      "move those that lie elsewhere; STORAGE_FULL where they have no room.",
    request: z.object({ user: nameSchema, group: nameSchema }),
    response: z.object({ group: nameSchema }),
  },
  drain: {
    type: 37,
    servedBy: ["tracker"],
    askedBy: ["client"],
    doc:
      "Stop naming a storage, or name it again. It learns of it with its next heartbeat and " +
      "says so to every other tracker.",
    request: z.object({ storageId: nameSchema, draining: z.boolean() }),
    response: z.object({}),
  },
  usage: {
    type: 38,
    servedBy: ["tracker"],
    askedBy: readers,
    doc: "What a user has: live files, the trash, and the quota where one is set.",
    request: z.object({ user: nameSchema }),
    response: userUsageSchema,
  },
  quota: {
    type: 39,
    servedBy: ["tracker"],
    askedBy: ["client"],
    doc: "Set how many bytes the live files of a user may have, or take the limit away.",
    request: z.object({ user: nameSchema, quotaBytes: countSchema.nullable() }),
    response: userUsageSchema,
  },
  trash: {
    type: 40,
    servedBy: ["tracker"],
    askedBy: readers,
    doc:
      "What of a user lies in the trash and can be restored, oldest first. `next`, when present, " +
      "is the `after` of the next page.",
    request: z.object({
      user: nameSchema,
      prefix: z.string().max(limits.fileIdMaxBytes).optional(),
      after: blobIdSchema.optional(),
      limit: z.number().int().min(1).max(limits.listMax),
    }),
    response: z.object({ blobs: z.array(trashedFileSchema), next: blobIdSchema.optional() }),
  },
  space: {
    type: 41,
    servedBy: ["tracker"],
    askedBy: readers,
    doc: "What all users with files in a group have there together.",
    request: z.object({ group: nameSchema }),
    response: spaceSchema,
  },
  moves: {
    type: 42,
    servedBy: ["tracker"],
    askedBy: readers,
    doc:
      "Which users, or whether this one, have files that still have to move to their group, by " +
      "user and the group where they lie. `next`, when present, is the `after` of the next page.",
    request: z.object({
      user: nameSchema.optional(),
      after: z.object({ user: nameSchema, from: nameSchema }).optional(),
      limit: z.number().int().min(1).max(limits.listMax),
    }),
    response: z.object({
      moves: z.array(moveSchema),
      next: z.object({ user: nameSchema, from: nameSchema }).optional(),
    }),
  },
  remove: {
    type: 43,
    servedBy: ["tracker"],
    askedBy: ["client"],
    doc:
      "Forget a storage that is offline, which else is shown as long as the tracker runs. Says " +
      "whether this tracker knew it; CONFLICT for one that is online.",
    request: z.object({ storageId: nameSchema }),
    response: z.object({ known: z.boolean() }),
  },
  lease: {
    type: 48,
    servedBy: ["id"],
    askedBy: ["storage"],
    doc: "A range of ids that nobody else ever gets: `first` and the count - 1 ids behind it.",
    request: z.object({
      count: z.number().int().min(1).max(limits.leaseMaxIds),
    }),
    response: z.object({
      first: blobIdSchema,
      count: z.number().int().positive(),
    }),
  },
} as const satisfies Record<string, MessageRow>;

export type MessageName = keyof typeof messages;
export type RequestOf<N extends MessageName> = z.infer<(typeof messages)[N]["request"]>;
export type ResponseOf<N extends MessageName> = z.infer<(typeof messages)[N]["response"]>;

export type ListPage = ResponseOf<"list">;
export type Location = ResponseOf<"locate">;
export type TrackerStatus = ResponseOf<"status">;
export type TrashPage = ResponseOf<"trash">;
export type MovesPage = ResponseOf<"moves">;

const nameByType = new Map<number, MessageName>(
  Object.entries(messages).map(([name, row]) => [row.type, name as MessageName]),
);

export function messageNameOf(type: number): MessageName | undefined {
  return nameByType.get(type);
}

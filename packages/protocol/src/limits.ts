import { catalogLimits } from "./catalog-limits.ts";

/**
 * Every limit of dsm that is not an option, in one table. Units stand in the names.
 * Options that an operator may set live in @dsm/config; this table bounds what no one may set.
 */
export const limits = {
  /** User names are 1 to 64 characters (design, section 4.4). */
  userMaxChars: 64,
  /** File ids are 1 to 512 bytes of UTF-8 (design, section 4.4). */
  fileIdMaxBytes: 512,
  /**
   * JSON numbers are exact up to 2^53 - 1 (RFC 8259, section 6), so that is the largest file:
   * 8 PiB less one byte. docs/design/2026-11-22-sizes-and-ids.md says why this is enough.
   */
  fileMaxBytes: Number.MAX_SAFE_INTEGER,
  mediaTypeMaxChars: 127,
  /** How long a file may be told to live: from a second to ten years. */
  ttlMinMs: 1_000,
  ttlMaxMs: 3_650 * 86_400_000,
  /** The bytes that one checksum of a blob covers, so that damage is found to the piece. */
  pieceBytes: 1024 * 1024,
  /** The list of bad pieces of one file; a longer one is written as `*`. */
  damageMaxChars: 120,
  /** How soon a storage knows of bad pieces that another one has found, and of how many files. */
  damageFreshnessMs: 1_000,
  damageMarksMax: 100_000,
  /** How often a storage looks whether a scrub of its group is due. */
  scrubPollMs: 5_000,
  /** A storage that scrubs and shows no sign of life for this long may be taken over from. */
  scrubLeaseMs: 30_000,
  /** How long the one that made the last pass leaves the next one to others. */
  scrubTurnMs: 20_000,
  /** How much reading a crash can cost, at most: after so long the place is written down. */
  scrubSaveMs: 2_000,
  /** Blobs marked as damaged are looked at, and healed if that can be, so often. */
  scrubRecheckMs: 600_000,
  /** A read counts as so many bytes at least, for the look-up and the seek before it. */
  scrubReadCostBytes: 64 * 1024,
  /** With more requests than this on its data port a storage scrubs at a tenth of its rate. */
  scrubBusyRequests: 4,
  /** How long another member may take to send a piece that is to heal a damaged one. */
  healTimeoutMs: 10_000,

  /** One frame of the TCP plane, header and body. A list answer of 1,000 files fits twice. */
  frameMaxBytes: 2 * 1024 * 1024,
  /** Frames before the proof of the secret are tiny: a stranger cannot make us buffer more. */
  handshakeFrameMaxBytes: 4 * 1024,
  handshakeTimeoutMs: 5_000,
  /** Requests of one TCP connection that are being answered at the same time. */
  inFlightPerConnectionMax: 1_024,
  /** Answers that a slow reader has not taken yet; past it the connection is no longer read. */
  outboxHighWaterBytes: 1024 * 1024,
  connectionsPerServerMax: 10_000,
  connectTimeoutMs: 2_000,
  requestTimeoutMs: 5_000,
  /** A server that owes answers and is silent that long is pinged, and given up after as long. */
  silenceProbeMs: 1_000,
  /** How long a failed endpoint is asked last. */
  endpointRestMs: 1_000,
  /** A peer that takes none of the bytes that wait for it for this long is cut off. */
  outboxStallMs: 30_000,
  /** How long a connection that is over for us waits for its peer to close it too. */
  lingerMs: 1_000,
  /** Connections over the maximum that are told so at the same time; more are cut off unheard. */
  refusedConnectionsMax: 256,
  /** How long a server that stops waits for the requests in flight. */
  drainTimeoutMs: 10_000,
  /** After this much silence the kernel probes whether the peer's host still lives. */
  keepAliveMs: 30_000,
  /** Calls of one client that wait for an answer, and the bytes of those not yet sent. */
  pendingCallsMax: 16_384,
  callBacklogMaxBytes: 16 * 1024 * 1024,

  listDefault: 100,
  listMax: 1_000,
  /** Ids that one lease request may take. */
  leaseMaxIds: 65_536,

  /** The whole URL of a media request; fileId of 512 bytes percent-encoded is 1,536. */
  urlMaxBytes: 8 * 1024,
  /** How far ahead a signed link may expire, in seconds: ten years. */
  linkTtlMaxS: 3_650 * 86_400,
  linkKeyIdMaxChars: 32,
  linkKeySecretMaxChars: 256,
  /** The body of a request to the JSON API. */
  apiBodyMaxBytes: 16 * 1024,
  /** Tries of an overwrite or delete that keeps losing to other writers of the same file. */
  commitRetryMax: 16,
  /** Commits that share one journal write, one sync and one catalog statement. */
  commitBatchMax: 256,
  /** What the catalog said of a file at the start of its upload is good for the commit so long. */
  currentFreshnessMs: 1_000,
  /** Changes of one storage that wait to be journaled, synced or committed. */
  commitQueueMax: 4_096,
  /** A change that is not durable so long after it came is given up, the catalog never asked. */
  commitSyncMaxMs: 20_000,
  /** While the catalog is down its statement is sent again, for so long after the first time. */
  commitWaitMs: 8_000,
  /** The pauses between two tries of it. */
  commitRetryBaseMs: 50,
  commitRetryMaxMs: 1_000,
  /**
   * A change that the catalog gave no answer on is settled so long after: more than
   * commitSyncMaxMs, commitWaitMs and the longest that a database lets a statement live, which
   * InnoDB does for 50 s where it waits for a lock.
   */
  doubtSettleMs: 120_000,
  doubtRoundMaxMs: 10_000,
  /** Changes in doubt that one storage keeps in mind; the journal keeps all. */
  doubtsMax: 16_384,
  /** How far back from its end the journal of an ended life is searched for changes in doubt. */
  doubtWindowMs: 600_000,
  /** Notes of what was acknowledged: so long a file of them is followed by another one, and */
  answersRolledBytes: 1024 * 1024,
  /** those of a life that has written nothing for so long, and is settled, are removed. */
  answersKeptMs: 86_400_000,
  /** How long a storage takes it for granted that a user has no quota, until the commit decides. */
  usageFreshnessMs: 1_000,
  /** Users of whom it remembers that. */
  usagesRememberedMax: 10_000,
  /** Blobs that the reaper of a group unlinks in a second, unless configured. */
  reapPerSecond: 200,
  /** What the reaper may unlink in a second: a large file takes its share of it. */
  reapBytesPerSecond: 4 * 1024 ** 3,
  /** Behind an unlink that takes longer, the disk rests so many times as long. */
  reapSlowUnlinkMs: 50,
  reapRestFactor: 4,
  /** With so many requests on the data port the reaper goes at a tenth of its pace. */
  reapBusyRequests: 8,
  /** What a reaper takes from the catalog at a time. */
  reapBatchMax: 100,
  /** A member that reaps for its group and is silent for so long is taken for dead. */
  reapLeaseMs: 15_000,
  /** How often a storage looks whether its group has files to fetch of users who moved there. */
  movePollMs: 2_000,
  /** After a round in which some could not be moved it waits so many times as long. */
  moveRestFactor: 5,
  /** A member that moves for its group and is silent for so long is taken for dead. */
  moveLeaseMs: 15_000,
  /** Files that are copied at the same time, what is asked for at a time, and of how many. */
  movesAtOnceMax: 4,
  moveWindowBytes: 1024 * 1024,
  movePageMax: 200,
  /** What a storage says of why files cannot be moved. */
  heldUpMaxChars: 300,
  /** Blobs of one file that one request to empty the trash may name. */
  emptyBatchMax: 100,
  /** Requests of one client that empty the trash at the same time. */
  emptyRequestsMax: 4,
  /** Capabilities that a storage remembers to have checked: under 2 KiB each. */
  openedCapabilitiesMax: 1_024,
  /** How often a storage looks for users who are new or have changed, to journal them. */
  userJournalIntervalMs: 10_000,
  /** Users of whom it knows that their newest state is journaled. */
  journaledUsersMax: 10_000,
  /** How far the clocks of two hosts of a cluster may differ; durability never depends on it. */
  clockSkewMaxMs: 60_000,
  /** How often a storage looks whether its group's file system is mounted, and waits for it. */
  rootLookMs: 1_000,
  rootHangMs: 5_000,
  /** How often a storage looks for new members of its group on its own file system. */
  peerLookMs: 5_000,
  /** How long they may take to be seen there: GlusterFS's clients remember for a second. */
  peerSeenMs: 3_000,
  peerAskTimeoutMs: 2_000,
  /** How often a disk that refused a write is tried again. */
  diskProbeIntervalMs: 1_000,
  /** How long until a blob that could not be removed is tried again. */
  leftoverRetryMs: 10_000,
  /**
   * A blob without a row that did not change for so long is none of an upload: one that pauses is
   * given up, and what is whole is committed or settled sooner.
   */
  orphanAgeMs: 900_000,
  /** Behind a longer pause in its writes an upload is given up, so that none is taken for one. */
  blobPauseMaxMs: 600_000,
  /** How often some member of a group looks for such blobs, and asks whether that is due. */
  orphanRoundMs: 86_400_000,
  orphanLookMs: 600_000,
  /** Such blobs that it remembers from one look to the next: about 150 bytes each. */
  orphansSeenMax: 100_000,
  /** Names, rows and lines of journals that it passes at a time, and in a second. */
  orphanLooksAtOnce: 1_000,
  orphanLooksPerSecond: 10_000,
  /** What looks wrong to fsck is looked at again so long after: it may have been under way. */
  fsckSecondLookMs: 1_000,
  /** A larger blob starts to sync its bytes whenever it has so many more, by itself. */
  blobSyncEveryBytes: 8 * 1024 * 1024,
  /** An upload that announces no more is read whole, and written and closed in one step. */
  uploadAtOnceMaxBytes: 64 * 1024,
  /** Directories of blobs whose names are known to be durable, where each is synced by itself. */
  anchoredDirectoriesMax: 4_096,
  /** One line of a journal. A file id of 512 bytes, escaped, fits well. */
  journalRecordMaxBytes: 16 * 1024,
  /** A part of a journal that has so much is closed, and the next one begun. */
  journalPartMaxBytes: 64 * 1024 * 1024,
  /** Bytes of an upload kept in memory so that a stream can be sent again to another storage. */
  uploadReplayMaxBytes: 1024 * 1024,
  /** Tries of one client operation over all storages and trackers. */
  clientAttemptsMax: 6,
  clientRetryBaseMs: 50,
  clientRetryMaxMs: 2_000,
  /** A storage that sends no byte of a read for this long is given up, unless configured. */
  upstreamStallMs: 5_000,
  /** A storage that takes no byte of an upload for this long is given up. */
  writeStallMs: 10_000,
  /** A second storage is asked when the first has sent no byte by then, unless configured. */
  hedgeAfterMs: 500,
  /** The longest that a storage is asked last after it failed; limits.endpointRestMs at first. */
  storageRestMaxMs: 10_000,
  /** Storages of which a client remembers that they failed. */
  storagesRememberedMax: 1_024,
  /**
   * A reader asks a storage for so much at first, for many leave soon, then for so much at a time
   * and for the next when half is left. So no more than 768 KiB are asked for and not yet handed
   * on; with a few of the pieces below on their way, under 1 MiB is read in vain by who leaves.
   */
  readWindowFirstBytes: 256 * 1024,
  readWindowBytes: 512 * 1024,
  readPieceMaxBytes: 64 * 1024,
  /** A reader who takes longer signs itself the right to read on, for so long each time. */
  readRightTtlMs: 60_000,
  /** What must be left of it when a storage is asked. */
  readRightMarginMs: 10_000,
  /** How long the right to maintain a group is good for; it is checked when the work begins. */
  maintenanceRightTtlMs: 60_000,
  /** A storage that works on a group says so at least so often, also when there is no news. */
  maintenanceQuietMs: 5_000,
  /** Who watches such work gives the storage up after so long a silence. */
  maintenanceStallMs: 30_000,
  /** One line of what a storage tells of such work. */
  maintenanceLineMaxChars: 64 * 1024,
  /** A problem JSON of a storage. */
  problemMaxChars: 16 * 1024,
  /** Readers and files of which a gateway remembers the version given: 16 bytes and a few. */
  givenVersionsMax: 65_536,
  /** Files of which a gateway remembers where they are: about 2 KiB each. */
  locatedFilesMax: 10_000,
  /** Where it remembers that, a catalog that is down is asked again for so long. */
  locatedRetryForMs: 500,
  /** A storage looks whether the file of a redirected reader is still there no more often. */
  watchedFreshnessMs: 1_000,
  watchedFilesMax: 10_000,
  /** A gateway that was ready so long ago still is, whatever the trackers say or do not say. */
  readinessGraceMs: 3_000,
  /** And it says so after so long without an answer of theirs: before a check gives it up. */
  readinessAnswerMs: 400,
  /** How long a gateway waits for /healthz of a storage before it redirects to another one. */
  healthTimeoutMs: 500,
  /** How long it goes by the answer, and of how many storages it keeps one. */
  healthFreshnessMs: 1_000,
  healthStoragesMax: 1_024,
  /** The smallest cluster secret: 32 hex digits are 128 bits. */
  secretMinChars: 32,
  /** Marker and journal files aside, one directory of blobs holds no more than this. */
  blobsPerDirectoryMax: 1_024,

  ...catalogLimits,
  /** Ranges of one Range header; one with more is ignored, and the whole file is sent. */
  rangesPerRequestMax: 64,
  /** Ranges that lie closer than this are sent as one: the head of a part has about as much. */
  rangeGapMaxBytes: 256,
  /**
   * A multipart answer that is built in memory: as much as Bun itself keeps of a small file. See
   * docs/design/2026-11-22-multipart.md.
   */
  multipartBufferedMaxBytes: 1024 * 1024,
  /** The first bytes of an upload, which tell its media type where nothing else does. */
  sniffMaxBytes: 4 * 1024,
  /** How long an HTTP server reads on, into nothing, when it has answered before the body's end. */
  httpLingerMs: 1_000,
  /** How long answers over HTTP/3 may go on when a renewed certificate wants its port anew. */
  h3RenewalDrainMs: 30_000,
  /** How long a client may take for the handshake of TLS. */
  tlsHandshakeTimeoutMs: 10_000,
  /** All headers of one request over HTTP/2, as counted by RFC 9113, section 6.5.2. */
  headersMaxBytes: 32 * 1024,
  h2StreamsPerConnectionMax: 128,
  /** What a client may send of one upload before it is read: 10 MB/s at 100 ms there and back. */
  h2UploadWindowBytes: 1024 * 1024,
  /** What one HTTP/2 connection may have written that its client has not proven to have read. */
  h2UnprovenMaxBytes: 4 * 1024 * 1024,
  /** So many bytes are written between two such proofs. */
  h2PingEveryBytes: 512 * 1024,
} as const;

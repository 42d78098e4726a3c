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
  /** Commits that share one journal write and one catalog statement. */
  commitBatchMax: 256,
  /** One line of a journal. A file id of 512 bytes, escaped, fits well. */
  journalRecordMaxBytes: 16 * 1024,
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
  /** A problem JSON of a storage. */
  problemMaxChars: 16 * 1024,
  /** Readers and files of which a gateway remembers the version given: 16 bytes and a few. */
  givenVersionsMax: 65_536,
  /** Files of which a gateway remembers where they are: about 2 KiB each. */
  locatedFilesMax: 10_000,
  /** A storage looks whether the file of a redirected reader is still there no more often. */
  watchedFreshnessMs: 1_000,
  watchedFilesMax: 10_000,
  /** How long a gateway waits for /healthz of a storage before it redirects to another one. */
  healthTimeoutMs: 500,
  /** How long it goes by the answer, and of how many storages it keeps one. */
  healthFreshnessMs: 1_000,
  healthStoragesMax: 1_024,
  /** The smallest cluster secret: 32 hex digits are 128 bits. */
  secretMinChars: 32,
  /** Marker and journal files aside, one directory of blobs holds no more than this. */
  blobsPerDirectoryMax: 1_024,

  /** Connections of one process to a MySQL-protocol catalog. */
  catalogConnectionsMax: 8,
  /** Statements of one process that wait for a connection to the catalog, and for how long. */
  catalogQueueMax: 1_024,
  catalogQueueTimeoutMs: 2_000,
  catalogQueryTimeoutMs: 3_000,
  /** How long SQLite waits for a writer of another process; it blocks the thread meanwhile. */
  catalogBusyTimeoutMs: 2_000,
  /** Tries of one catalog statement that meets a deadlock, or a lease that others are faster at. */
  catalogRetryMax: 32,
  /** How long a migration waits for another process that migrates. */
  catalogMigrateTimeoutMs: 60_000,
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

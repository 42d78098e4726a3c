/**
 * The one table of error codes. A code is stable: clients may switch on it. The table says what
 * it becomes on HTTP (RFC 9457 problem JSON), as an exit code of the CLI (design, section 4.2),
 * and whether doing the same thing again may help.
 */
interface ErrorRow {
  readonly http: number;
  readonly exit: 1 | 2 | 3 | 4 | 5 | 6;
  readonly retryable: boolean;
  readonly title: string;
}

export const errorTable = {
  USAGE: { http: 400, exit: 2, retryable: false, title: "Wrong usage" },
  BAD_CONFIG: {
    http: 500,
    exit: 2,
    retryable: false,
    title: "Wrong configuration",
  },
  BAD_NAME: { http: 400, exit: 2, retryable: false, title: "Not a valid name" },
  BAD_REQUEST: {
    http: 400,
    exit: 2,
    retryable: false,
    title: "Malformed request",
  },
  UNKNOWN_ROUTE: {
    http: 404,
    exit: 3,
    retryable: false,
    title: "No such resource",
  },
  METHOD_NOT_ALLOWED: {
    http: 405,
    exit: 2,
    retryable: false,
    title: "Method not allowed",
  },
  RANGE_NOT_SATISFIABLE: {
    http: 416,
    exit: 1,
    retryable: false,
    title: "Range not satisfiable",
  },
  UNAUTHENTICATED: {
    http: 401,
    exit: 6,
    retryable: false,
    title: "Proof of identity missing",
  },
  FORBIDDEN: { http: 403, exit: 6, retryable: false, title: "Not allowed" },
  USER_NOT_FOUND: {
    http: 404,
    exit: 3,
    retryable: false,
    title: "Unknown user",
  },
  FILE_NOT_FOUND: {
    http: 404,
    exit: 3,
    retryable: false,
    title: "Unknown file",
  },
  MEMBER_NOT_FOUND: {
    http: 404,
    exit: 3,
    retryable: false,
    title: "Unknown storage",
  },
  FILE_EXISTS: { http: 412, exit: 4, retryable: false, title: "File exists" },
  PRECONDITION_FAILED: {
    http: 412,
    exit: 4,
    retryable: false,
    title: "Precondition failed",
  },
  CONFLICT: {
    http: 409,
    exit: 4,
    retryable: true,
    title: "Changed by someone else",
  },
  DIGEST_MISMATCH: {
    http: 422,
    exit: 1,
    retryable: false,
    title: "Digest differs",
  },
  DIGEST_UNSUPPORTED: {
    http: 400,
    exit: 2,
    retryable: false,
    title: "Digest algorithm unknown",
  },
  UPLOAD_INCOMPLETE: {
    http: 400,
    exit: 1,
    retryable: true,
    title: "Upload cut short",
  },
  TOO_LARGE: { http: 413, exit: 1, retryable: false, title: "Too large" },
  URI_TOO_LONG: { http: 414, exit: 2, retryable: false, title: "URL too long" },
  STORAGE_FULL: { http: 507, exit: 1, retryable: true, title: "Storage full" },
  QUOTA_EXCEEDED: { http: 507, exit: 1, retryable: false, title: "Quota exceeded" },
  STORAGE_FAILED: {
    http: 503,
    exit: 1,
    retryable: true,
    title: "Storage failed",
  },
  GROUP_UNAVAILABLE: {
    http: 503,
    exit: 5,
    retryable: true,
    title: "Group unavailable",
  },
  CATALOG_UNAVAILABLE: {
    http: 503,
    exit: 5,
    retryable: true,
    title: "Catalog unavailable",
  },
  UNREACHABLE: {
    http: 503,
    exit: 5,
    retryable: true,
    title: "Cluster unreachable",
  },
  TIMEOUT: { http: 504, exit: 5, retryable: true, title: "No answer in time" },
  MISDIRECTED: { http: 421, exit: 1, retryable: true, title: "Misdirected request" },
  DRAINING: { http: 503, exit: 5, retryable: true, title: "Shutting down" },
  OVERLOADED: { http: 503, exit: 5, retryable: true, title: "Overloaded" },
  JOIN_FIRST: {
    http: 409,
    exit: 1,
    retryable: true,
    title: "Unknown storage: join first",
  },
  BAD_FRAME: { http: 400, exit: 1, retryable: false, title: "Malformed frame" },
  FRAME_TOO_LARGE: {
    http: 413,
    exit: 1,
    retryable: false,
    title: "Frame too large",
  },
  UNSUPPORTED_VERSION: {
    http: 400,
    exit: 1,
    retryable: false,
    title: "Protocol version unknown",
  },
  UNKNOWN_MESSAGE: {
    http: 400,
    exit: 1,
    retryable: false,
    title: "Message unknown here",
  },
  ADDRESS_IN_USE: {
    http: 500,
    exit: 1,
    retryable: false,
    title: "Address in use",
  },
  DATA_NOT_WRITABLE: {
    http: 500,
    exit: 1,
    retryable: false,
    title: "Data folder not usable",
  },
  DATA_CORRUPT: { http: 500, exit: 1, retryable: false, title: "Data damaged" },
  INTERNAL: { http: 500, exit: 1, retryable: false, title: "Internal error" },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(errorTable, value);
}

/** What of an error crosses a wire: no stack, no cause, nothing of the machine. */
export interface WireError {
  readonly code: ErrorCode;
  /** What failed, on what, why. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy?: string;
}

interface DsmErrorOptions extends ErrorOptions {
  readonly remedy?: string | undefined;
}

/**
 * The one error class for what goes wrong in operation. `message` says what failed, on what and
 * why; `remedy` says what to do. Anything else that is thrown is a programmer's error.
 */
export class DsmError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string | undefined;
  constructor(code: ErrorCode, message: string, options: DsmErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "DsmError";
    this.code = code;
    this.remedy = options.remedy;
  }

  get http(): number {
    return errorTable[this.code].http;
  }

  get exit(): number {
    return errorTable[this.code].exit;
  }

  get retryable(): boolean {
    return errorTable[this.code].retryable;
  }

  /**
   * The message and the remedy, as they are shown to people. (A getter named `line` would never
   * be reached: JavaScriptCore gives every error a property of that name.)
   */
  get sentence(): string {
    return this.remedy === undefined ? this.message : `${this.message}; ${this.remedy}`;
  }

  toWire(): WireError {
    const { code, message, remedy } = this;
    return remedy === undefined ? { code, message } : { code, message, remedy };
  }

  static fromWire(wire: WireError): DsmError {
    return new DsmError(wire.code, wire.message, { remedy: wire.remedy });
  }

  /** Any thrown value as a DsmError; what is not one becomes INTERNAL with the value as cause. */
  static from(thrown: unknown, doing: string): DsmError {
    if (thrown instanceof DsmError) return thrown;
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return new DsmError("INTERNAL", `${doing} failed: ${why}`, {
      cause: thrown,
    });
  }
}

/** The error of a failed system call, as `EADDRINUSE`; undefined for any other value. */
export function systemErrorCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}

/**
 * Every refusal in dtkd carries one of these codes. A code never changes its meaning; its message may. `http` is the status at the API,
 * `reason` the Kubernetes `Status.reason`, `exit` the exit status of the CLI.
 */
const CODES = {
  // requests
  BAD_REQUEST: { http: 400, reason: 'BadRequest', exit: 2 },
  INVALID: { http: 422, reason: 'Invalid', exit: 2 },
  UNAUTHORIZED: { http: 401, reason: 'Unauthorized', exit: 4 },
  FORBIDDEN: { http: 403, reason: 'Forbidden', exit: 4 },
  WRONG_HOST: { http: 403, reason: 'Forbidden', exit: 4 },
  NOT_FOUND: { http: 404, reason: 'NotFound', exit: 5 },
  METHOD_NOT_ALLOWED: { http: 405, reason: 'MethodNotAllowed', exit: 2 },
  ALREADY_EXISTS: { http: 409, reason: 'AlreadyExists', exit: 6 },
  CONFLICT: { http: 409, reason: 'Conflict', exit: 6 },
  AMBIGUOUS: { http: 409, reason: 'Conflict', exit: 6 },
  GONE: { http: 410, reason: 'Expired', exit: 6 },
  TOO_LARGE: { http: 413, reason: 'RequestEntityTooLarge', exit: 2 },
  NOT_ACCEPTABLE: { http: 406, reason: 'NotAcceptable', exit: 2 },
  UNSUPPORTED_MEDIA: { http: 415, reason: 'UnsupportedMediaType', exit: 2 },
  TOO_MANY_REQUESTS: { http: 429, reason: 'TooManyRequests', exit: 7 },
  INTERNAL: { http: 500, reason: 'InternalError', exit: 1 },
  UNAVAILABLE: { http: 503, reason: 'ServiceUnavailable', exit: 7 },
  TIMEOUT: { http: 504, reason: 'Timeout', exit: 7 },
  // tokens and joining
  TOKEN_MALFORMED: { http: 400, reason: 'BadRequest', exit: 2 },
  TOKEN_WRONG_DOMAIN: { http: 409, reason: 'Conflict', exit: 6 },
  TOKEN_EXPIRED: { http: 403, reason: 'Forbidden', exit: 4 },
  TOKEN_USED_UP: { http: 403, reason: 'Forbidden', exit: 4 },
  TOKEN_REVOKED: { http: 403, reason: 'Forbidden', exit: 4 },
  TOKEN_VOID: { http: 403, reason: 'Forbidden', exit: 4 },
  NOT_A_MEMBER: { http: 403, reason: 'Forbidden', exit: 4 },
  REMOVED: { http: 403, reason: 'Forbidden', exit: 4 },
  NAME_TAKEN: { http: 409, reason: 'Conflict', exit: 6 },
  NAME_INVALID: { http: 422, reason: 'Invalid', exit: 2 },
  VERSION_TOO_OLD: { http: 426, reason: 'BadRequest', exit: 8 },
  OURSELVES: { http: 409, reason: 'Conflict', exit: 6 },
  ADDRESS_INVALID: { http: 400, reason: 'BadRequest', exit: 2 },
  ADDRESS_UNREACHABLE: { http: 503, reason: 'ServiceUnavailable', exit: 7 },
  PACKETS_LOST: { http: 504, reason: 'Timeout', exit: 7 },
  NOT_DTKD: { http: 502, reason: 'ServiceUnavailable', exit: 7 },
  NOT_FOUNDER: { http: 403, reason: 'Forbidden', exit: 4 },
  KEY_WRONG: { http: 403, reason: 'Forbidden', exit: 4 },
  KEY_IN_USE_ELSEWHERE: { http: 409, reason: 'Conflict', exit: 6 },
  SUSPENDED: { http: 403, reason: 'Forbidden', exit: 4 },
  // the wire
  FRAME_INVALID: { http: 400, reason: 'BadRequest', exit: 2 },
  FRAME_TOO_LARGE: { http: 413, reason: 'RequestEntityTooLarge', exit: 2 },
  SIGNATURE_INVALID: { http: 403, reason: 'Forbidden', exit: 4 },
  ENTRY_INVALID: { http: 400, reason: 'BadRequest', exit: 2 },
  ENTRY_FORKED: { http: 409, reason: 'Conflict', exit: 6 },
  QUOTA_EXCEEDED: { http: 403, reason: 'Forbidden', exit: 4 },
  PEER_AWAY: { http: 503, reason: 'ServiceUnavailable', exit: 7 },
  // dispatch
  NO_MATCH: { http: 422, reason: 'Invalid', exit: 2 },
  NOT_DEPLOYED: { http: 409, reason: 'Conflict', exit: 6 },
  UNTRUSTED: { http: 403, reason: 'Forbidden', exit: 4 },
  CODE_CHANGED: { http: 403, reason: 'Forbidden', exit: 4 },
  CONTENT_MISSING: { http: 404, reason: 'NotFound', exit: 5 },
  CONTENT_ALTERED: { http: 422, reason: 'Invalid', exit: 2 },
  ORDER_INVALID: { http: 400, reason: 'BadRequest', exit: 2 },
  ORDER_EXPIRED: { http: 410, reason: 'Expired', exit: 6 },
  MAINTENANCE: { http: 409, reason: 'Conflict', exit: 6 },
  ABORTED: { http: 409, reason: 'Conflict', exit: 6 },
  DEADLINE: { http: 504, reason: 'Timeout', exit: 7 },
  // bundle files
  PARCEL_INVALID: { http: 400, reason: 'BadRequest', exit: 2 },
  PARCEL_ALTERED: { http: 422, reason: 'Invalid', exit: 2 },
  // backups
  BACKUP_INVALID: { http: 400, reason: 'BadRequest', exit: 2 },
  BACKUP_ALTERED: { http: 422, reason: 'Invalid', exit: 2 },
  // service instances
  VIOLATIONS: { http: 422, reason: 'Invalid', exit: 25 },
  TASK_FAILED: { http: 409, reason: 'Conflict', exit: 20 },
  // starting
  DATA_LOCKED: { http: 500, reason: 'InternalError', exit: 10 },
  PORT_IN_USE: { http: 500, reason: 'InternalError', exit: 11 },
  DATA_UNWRITABLE: { http: 500, reason: 'InternalError', exit: 12 },
  FORMAT_TOO_NEW: { http: 500, reason: 'InternalError', exit: 13 },
  CONFIG_INVALID: { http: 500, reason: 'InternalError', exit: 14 },
  DISK_FULL: { http: 507, reason: 'InsufficientStorage', exit: 15 },
  DATA_CORRUPT: { http: 500, reason: 'InternalError', exit: 16 },
  DAEMON_UNREACHABLE: { http: 503, reason: 'ServiceUnavailable', exit: 9 },
} as const;

export type ErrorCode = keyof typeof CODES;

export interface ErrorOptionsExtra {
  /** What the person should do now; shown after the message. */
  next?: string;
  /** Machine-readable facts, such as both clocks, the field or the limit. Never secrets. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** The one error type that may cross a boundary. */
export class DtkdError extends Error {
  override readonly name = 'DtkdError';
  readonly code: ErrorCode;
  readonly next: string | undefined;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptionsExtra = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.next = options.next;
    this.details = options.details;
  }

  get httpStatus(): number {
    return CODES[this.code].http;
  }

  get reason(): string {
    return CODES[this.code].reason;
  }

  get exitStatus(): number {
    return CODES[this.code].exit;
  }
}

/** Returns every code with its HTTP status and the exit status of the CLI, in the order of this file. */
export function errorCodes(): { code: ErrorCode; http: number; exit: number }[] {
  return Object.entries(CODES).flatMap(([code, { http, exit }]) => (isErrorCode(code) ? [{ code, http, exit }] : []));
}

/** True if `text` is one of the stable codes (codes arrive as text from peers and over HTTP). */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(CODES, text);
}

/** Returns the code that an error is counted under; INTERNAL if it has none. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof DtkdError ? error.code : 'INTERNAL';
}

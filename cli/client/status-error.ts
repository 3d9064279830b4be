import { DtkdError, type ErrorCode, isErrorCode } from '../../protocol/errors.ts';
import { listAt, recordAt, textAt } from '../json.ts';

/** Codes for answers that carry none of ours: by Kubernetes reason first, then by HTTP status. */
const BY_REASON: Record<string, ErrorCode> = {
  BadRequest: 'BAD_REQUEST',
  Invalid: 'INVALID',
  Unauthorized: 'UNAUTHORIZED',
  Forbidden: 'FORBIDDEN',
  NotFound: 'NOT_FOUND',
  MethodNotAllowed: 'METHOD_NOT_ALLOWED',
  AlreadyExists: 'ALREADY_EXISTS',
  Conflict: 'CONFLICT',
  Expired: 'GONE',
  Gone: 'GONE',
  RequestEntityTooLarge: 'TOO_LARGE',
  UnsupportedMediaType: 'UNSUPPORTED_MEDIA',
  TooManyRequests: 'TOO_MANY_REQUESTS',
  ServiceUnavailable: 'UNAVAILABLE',
  Timeout: 'TIMEOUT',
};
const BY_STATUS: Record<number, ErrorCode> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  409: 'CONFLICT',
  410: 'GONE',
  413: 'TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA',
  422: 'INVALID',
  429: 'TOO_MANY_REQUESTS',
  503: 'UNAVAILABLE',
  504: 'TIMEOUT',
};

const NEXT: Partial<Record<ErrorCode, string>> = {
  UNAUTHORIZED: "The token was probably rotated. Leave out --token and DTKD_TOKEN to use the data directory's own, or give the new one.",
};

/** The error that a `Status` body (or any failed answer) means. */
export function errorOfStatus(httpStatus: number, body: unknown): DtkdError {
  const given = textAt(body, 'details', 'code');
  const code = isErrorCode(given) ? given : (BY_REASON[textAt(body, 'reason') ?? ''] ?? BY_STATUS[httpStatus] ?? 'INTERNAL');
  const next = textAt(body, 'details', 'next') ?? NEXT[code];
  // a Status ends its message with the next step, for clients that show nothing else
  const whole = textAt(body, 'message') ?? `the daemon answered with status ${httpStatus}`;
  const message = next !== undefined && whole.endsWith(` ${next}`) ? whole.slice(0, -next.length - 1).replace(/(?<=[^.])\.$/, '') : whole;
  const causes = listAt(body, 'details', 'causes')
    .map((cause) => [textAt(cause, 'field'), textAt(cause, 'message')].filter(Boolean).join(': '))
    .filter((text) => text !== '' && !message.includes(text));
  return new DtkdError(code, [message, ...causes].join('\n  '), {
    ...(next === undefined ? {} : { next }),
    details: recordAt(body, 'details'),
  });
}

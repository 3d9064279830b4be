import { DtkdError, type ErrorCode, isErrorCode } from '../../protocol/errors.ts';
import { kindByAnyName } from '../../protocol/kinds/index.ts';
import { withoutNext } from '../../protocol/requests/refused-by.ts';
import { listAt, recordAt, textAt } from '../json.ts';

/** Codes for answers without one of ours: first by Kubernetes reason, then by HTTP status. */
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

/** Names that can be shown in quotes as they are. */
const CALLED = /^[A-Za-z0-9._-]{1,253}$/;

const NEXT: Partial<Record<ErrorCode, string>> = {
  UNAUTHORIZED: "The token was probably rotated. Leave out --token and DTKD_TOKEN to use the data directory's own, or give the new one.",
};

/** Converts a `Status` body, or any failed answer, to an error. */
export function errorOfStatus(httpStatus: number, body: unknown): DtkdError {
  const given = textAt(body, 'details', 'code');
  const code = isErrorCode(given) ? given : (BY_REASON[textAt(body, 'reason') ?? ''] ?? BY_STATUS[httpStatus] ?? 'INTERNAL');
  const next = textAt(body, 'details', 'next') ?? NEXT[code];
  const message = withoutNext(textAt(body, 'message') ?? `the daemon answered with status ${httpStatus}`, next);
  const causes = listAt(body, 'details', 'causes')
    .filter((cause) => textAt(cause, 'message') === undefined || !message.includes(textAt(cause, 'message') ?? ''))
    .map((cause) => [textAt(cause, 'field'), textAt(cause, 'message')].filter(Boolean).join(': '))
    .filter((text) => text !== '' && !message.includes(text));
  return new DtkdError(code, [message, ...causes].join('\n  '), {
    ...withNext(next ?? (code === 'NOT_FOUND' ? whereToLook(body) : undefined)),
    details: recordAt(body, 'details'),
  });
}

function withNext(next: string | undefined): { next?: string } {
  return next === undefined ? {} : { next };
}

/** Advice for an object that does not exist: the list to look in. Resources are often asked for by their names in the model. */
function whereToLook(body: unknown): string | undefined {
  const kind = kindByAnyName(textAt(body, 'details', 'kind') ?? '');
  const name = textAt(body, 'details', 'name') ?? '';
  if (kind === undefined || name === '') return undefined;
  if (kind.kind === 'dtApp' && CALLED.test(name))
    return `See "dtkd app ls"; what other nodes share has its own name here: dtkd app show ${name}`;
  if (kind.kind !== 'Resource' || !CALLED.test(name)) return `See "dtkd get ${kind.plural}".`;
  return `See "dtkd get resources"; an imported one is found by what it is called: dtkd get resources --where 'name="${name}"'`;
}

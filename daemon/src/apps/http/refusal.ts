import { STATUS_CODES } from 'node:http';
import { DtkdError, type ErrorCode } from '../../../../protocol/errors.ts';

/** An error response made by the proxy itself. */
export interface Refusal {
  status: number;
  code: ErrorCode;
  message: string;
  next?: string | undefined;
  /** True if somebody must change something first, so that it is of no use to try again later. */
  lasting?: boolean;
  /** Further header lines, each ending in CR LF. */
  fields?: string;
}

/** True if a router returned a refusal rather than a route. */
export function isRefusal(value: object): value is Refusal {
  return 'status' in value;
}

/** Codes that an app's owner may report to clients. Any other is a fault between the nodes. */
const SAYABLE: ReadonlySet<ErrorCode> = new Set([
  'NOT_FOUND',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'UNAVAILABLE',
  'PEER_AWAY',
  'TIMEOUT',
  'TOO_MANY_REQUESTS',
  'REMOVED',
  'SUSPENDED',
]);

/** The refusal that a client gets when its app could not be reached: the reason, if clients may know it, otherwise 502. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof DtkdError && SAYABLE.has(error.code)) {
    const { httpStatus: status, code, message, next, cause } = error;
    return { status, code, message, next, lasting: cause instanceof DtkdError && cause.code === 'VERSION_TOO_OLD' };
  }
  return { status: 502, code: 'UNAVAILABLE', message: 'the app could not be reached' };
}

/**
 * When a client may try again, by status: a request too many has room as soon as another has ended; an endpoint or an owner that did not
 * answer is tried again within seconds.
 */
const RETRY_AFTER_SECONDS: ReadonlyMap<number, number> = new Map([
  [429, 1],
  [503, 5],
]);

/** The whole response, ready to be written: JSON (a Kubernetes `Status`) if the client accepts it, otherwise plain text. */
export function refusalBytes(refusal: Refusal, request: { head: boolean; accept: string | undefined }, close: boolean): Buffer {
  const json = request.accept !== undefined && /application\/(?:[a-z.+-]+\+)?json/i.test(request.accept);
  const body = Buffer.from(json ? statusJson(refusal) : `${[refusal.message, refusal.next].filter(Boolean).join('\n')}\n`, 'utf8');
  const seconds = refusal.lasting === true ? undefined : RETRY_AFTER_SECONDS.get(refusal.status);
  const retry = seconds === undefined ? '' : `Retry-After: ${seconds}\r\n`;
  const head = `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? 'Refused'}\r\nContent-Type: ${
    json ? 'application/json' : 'text/plain; charset=utf-8'
  }\r\nContent-Length: ${body.length}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n${retry}${refusal.fields ?? ''}${
    close ? 'Connection: close\r\n' : ''
  }\r\n`;
  return request.head ? Buffer.from(head, 'latin1') : Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

function statusJson(refusal: Refusal): string {
  return `${JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: refusal.message,
    code: refusal.status,
    details: { code: refusal.code, ...(refusal.next === undefined ? {} : { next: refusal.next }) },
  })}\n`;
}

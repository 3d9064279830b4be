import { STATUS_CODES } from 'node:http';
import { DtkdError, type ErrorCode } from '../../../../protocol/errors.ts';

/** An error response made by the proxy itself. */
export interface Refusal {
  status: number;
  code: ErrorCode;
  message: string;
  next?: string | undefined;
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
  if (error instanceof DtkdError && SAYABLE.has(error.code))
    return { status: error.httpStatus, code: error.code, message: error.message, next: error.next };
  return { status: 502, code: 'UNAVAILABLE', message: 'the app could not be reached' };
}

const RETRY_AFTER_SECONDS = 5;

/** The whole response, ready to be written: JSON (a Kubernetes `Status`) if the client accepts it, otherwise plain text. */
export function refusalBytes(refusal: Refusal, request: { head: boolean; accept: string | undefined }, close: boolean): Buffer {
  const json = request.accept !== undefined && /application\/(?:[a-z.+-]+\+)?json/i.test(request.accept);
  const body = Buffer.from(json ? statusJson(refusal) : `${[refusal.message, refusal.next].filter(Boolean).join('\n')}\n`, 'utf8');
  const retry = refusal.status === 503 ? `Retry-After: ${RETRY_AFTER_SECONDS}\r\n` : '';
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

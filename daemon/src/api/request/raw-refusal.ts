/**
 * Refusals as bytes, for cases where Node's server provides no request to answer, or where the turn to answer it will never come.
 * Each ends its connection.
 */
import { STATUS_CODES } from 'node:http';
import type { DtkdError } from '../../../../protocol/errors.ts';
import { statusOf } from './status.ts';

/** `http`: the status, if HTTP has a more precise one than the error's code. */
export function rawRefusal(error: DtkdError, http = error.httpStatus): string {
  const text = JSON.stringify({ ...statusOf(error, {}, () => {}), code: http });
  return [
    `HTTP/1.1 ${http} ${STATUS_CODES[http] ?? 'Refused'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Cache-Control: no-store',
    'Connection: close',
    '',
    text,
  ].join('\r\n');
}

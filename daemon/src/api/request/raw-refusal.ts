/** Refusals as bytes, for what Node's server gives no request to answer for, or none whose turn to be answered will come. They end their connection. */
import { STATUS_CODES } from 'node:http';
import type { DtkdError } from '../../../../protocol/errors.ts';
import { statusOf } from './status.ts';

/** `http`: the status, where HTTP has a closer one than the code of the error says. */
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

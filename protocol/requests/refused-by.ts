/** The refusal of somebody else, read from its body: in its words, as far as they are words. Pure. */
import { isRecord } from '../encoding/json.ts';
import { DtkdError, isErrorCode } from '../errors.ts';

const MAX_TEXT = 500;

/** `who`: put before the message, where it was another node. */
export function refusedBy(body: unknown, who?: string): DtkdError {
  const details = isRecord(body) && isRecord(body['details']) ? body['details'] : {};
  const message = isRecord(body) && typeof body['message'] === 'string' ? body['message'].slice(0, MAX_TEXT) : 'it refused';
  const next = typeof details['next'] === 'string' ? details['next'].slice(0, MAX_TEXT) : undefined;
  const code = isErrorCode(details['code']) ? details['code'] : 'UNAVAILABLE';
  return new DtkdError(code, who === undefined ? message : `${who}: ${message}`, next === undefined ? {} : { next });
}

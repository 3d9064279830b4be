/** Reads another party's refusal from its response body, and keeps its words as far as they are usable. Pure. */
import { isRecord } from '../encoding/json.ts';
import { DtkdError, isErrorCode } from '../errors.ts';

const MAX_TEXT = 500;

/** `who`: prefix for the message, if another node refused. */
export function refusedBy(body: unknown, who?: string): DtkdError {
  const details = isRecord(body) && isRecord(body['details']) ? body['details'] : {};
  const advice = typeof details['next'] === 'string' ? details['next'] : undefined;
  const said = isRecord(body) && typeof body['message'] === 'string' ? withoutNext(body['message'], advice) : 'it refused';
  const message = said.slice(0, MAX_TEXT);
  const next = advice?.slice(0, MAX_TEXT);
  const code = isErrorCode(details['code']) ? details['code'] : 'UNAVAILABLE';
  return new DtkdError(code, who === undefined ? message : `${who}: ${message}`, next === undefined ? {} : { next });
}

/**
 * Removes the next step from the end of a Status message. It is there, on the same line or its own, for clients that show only the
 * message.
 */
export function withoutNext(message: string, next: string | undefined): string {
  if (next === undefined) return message;
  if (message.endsWith(`\n${next}`)) return message.slice(0, -next.length - 1);
  return message.endsWith(` ${next}`) ? message.slice(0, -next.length - 1).replace(/(?<=[^.])\.$/, '') : message;
}

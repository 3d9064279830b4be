/** The refusal of somebody else, read from its body: in its words, as far as they are words. Pure. */
import { isRecord } from '../encoding/json.ts';
import { DtkdError, isErrorCode } from '../errors.ts';

const MAX_TEXT = 500;

/** `who`: put before the message, where it was another node. */
export function refusedBy(body: unknown, who?: string): DtkdError {
  const details = isRecord(body) && isRecord(body['details']) ? body['details'] : {};
  const advice = typeof details['next'] === 'string' ? details['next'] : undefined;
  const said = isRecord(body) && typeof body['message'] === 'string' ? withoutNext(body['message'], advice) : 'it refused';
  const message = said.slice(0, MAX_TEXT);
  const next = advice?.slice(0, MAX_TEXT);
  const code = isErrorCode(details['code']) ? details['code'] : 'UNAVAILABLE';
  return new DtkdError(code, who === undefined ? message : `${who}: ${message}`, next === undefined ? {} : { next });
}

/** A Status ends its message with the next step, in the same line or in one of its own, for clients that show nothing else. */
export function withoutNext(message: string, next: string | undefined): string {
  if (next === undefined) return message;
  if (message.endsWith(`\n${next}`)) return message.slice(0, -next.length - 1);
  return message.endsWith(` ${next}`) ? message.slice(0, -next.length - 1).replace(/(?<=[^.])\.$/, '') : message;
}

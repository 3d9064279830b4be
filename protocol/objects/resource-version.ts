import { DtkdError } from '../errors.ts';

/** Parses a client's resourceVersion. Undefined if it means the current state. Errors: GONE, BAD_REQUEST. */
export function parseVersion(text: string | undefined): number | undefined {
  if (text === undefined || text === '' || text === '0') return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    if (/^\d+$/.test(text)) throw new DtkdError('GONE', `version ${text.slice(0, 30)} was never given out here`, { next: 'List again.' });
    throw new DtkdError('BAD_REQUEST', `resourceVersion "${text.slice(0, 80)}" is not a decimal number`, {
      next: 'Use the resourceVersion of a list or of an object, unchanged.',
    });
  }
  return Number(text);
}

import { describe, expect, it } from 'vitest';
import { refusalBytes, refusalOf } from '../../../daemon/src/apps/http/refusal.ts';
import { DtkdError } from '../../../protocol/errors.ts';

describe('Retry-After of a refusal', () => {
  const tooOld = new DtkdError('VERSION_TOO_OLD', 'it is older');
  it.each([
    [new DtkdError('TOO_MANY_REQUESTS', 'too many'), 429, '1'],
    [new DtkdError('PEER_AWAY', 'away'), 503, '5'],
    [new DtkdError('UNAVAILABLE', 'no endpoint answers'), 503, '5'],
    [new DtkdError('UNAVAILABLE', 'cannot be asked', { cause: tooOld }), 503, undefined],
    [new DtkdError('FORBIDDEN', 'no'), 403, undefined],
    [new Error('broken'), 502, undefined],
  ])('tells when it may help to try again: %s', (error, status, seconds) => {
    const text = refusalBytes(refusalOf(error), { head: true, accept: undefined }, false).toString('latin1');
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(/Retry-After: (\d+)/.exec(text)?.[1]).toBe(seconds);
  });
});

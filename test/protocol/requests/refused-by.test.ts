import { expect, it } from 'vitest';
import { refusedBy } from '../../../protocol/requests/refused-by.ts';

it('reads what to do out of a refusal once, although the message ends with it', () => {
  const next = 'Ask the operator of node1.';
  for (const message of [`ann may not. ${next}`, `ann may not\n${next}`]) {
    const error = refusedBy({ message, details: { code: 'FORBIDDEN', next } }, 'node1');
    expect(error).toMatchObject({ code: 'FORBIDDEN', message: 'node1: ann may not', next });
  }
  expect(refusedBy('nonsense')).toMatchObject({ code: 'UNAVAILABLE', message: 'it refused', next: undefined });
});

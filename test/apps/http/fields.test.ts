import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { trailerFields } from '../../../daemon/src/apps/http/fields.ts';

describe('trailers', () => {
  it('pass without blanks before their values, but for those that say how a message is framed or who asks', () => {
    expect(trailerFields('X-Sum: \t a b\r\nContent-Length: 5\r\nx_dtkd_node: a\r\nEtag:\r\n')).toBe('X-Sum: a b\r\nEtag: \r\n');
    expect(trailerFields('X-Sum\x01: a\r\n')).toBeUndefined();
    expect(trailerFields(' X-Sum: a\r\n')).toBeUndefined();
  });

  it('are refused in time that grows as they do', () => {
    // in time that grows with the square this would take a quarter of an hour
    expect(trailerFields(`X-Sum:${'\t'.repeat(1_000_000)}\x01\r\n`)).toBeUndefined();
  });

  it('are, as they pass, what passes', () => {
    const line = fc.tuple(fc.stringMatching(/^[A-Za-z_-]{1,12}$/), fc.stringMatching(/^[\t -~\x80-\xff]{0,12}$/));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const passed = trailerFields(lines.map(([name, value]) => `${name}:${value}\r\n`).join(''));
        expect(passed).toBeDefined();
        expect(trailerFields(passed ?? '')).toBe(passed);
      }),
    );
  });
});

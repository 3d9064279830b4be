import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tokenOf, withoutToken } from '../../../daemon/src/apps/http/credentials.ts';
import { responseFields, trailerFields } from '../../../daemon/src/apps/http/fields.ts';
import { parseRequestHead, parseResponseHead } from '../../../daemon/src/apps/http/head.ts';

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

describe('cookies', () => {
  const asked = (cookie: string) => parseRequestHead(`GET / HTTP/1.1\r\nHost: a\r\nCookie: ${cookie}\r\n\r\n`);
  const pairsOf = (cookie: string) => cookie.split(';').map((pair) => pair.replace(/^[ \t]+|[ \t]+$/g, ''));

  it('go on to the origin as they are, but for tokens', () => {
    const units = ['dtkd_token', '=', 'dtkd_x', ';', ' ', '\t', '"', 'a', 'b=c', 'dtkd_', '; '];
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...units), maxLength: 10 }), (written) => {
        const cookie = asked(written).fields[3] ?? '';
        const left = withoutToken('cookie', cookie) ?? '';
        if (left !== '') expect(tokenOf(asked(left))).toBeUndefined();
        const others = (pair: string) => pair !== '' && !pair.startsWith('dtkd_token=');
        expect(pairsOf(left).filter(others)).toEqual(pairsOf(cookie).filter(others));
        expect(pairsOf(left).some((pair) => pair.startsWith('dtkd_token='))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('that an origin sets never name a domain', () => {
    const units = ['a=b', ';', ' ', 'domain', 'Domain=', '=', 'x', 'Path=/', '\t', '"'];
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...units), maxLength: 8 }), (cookie) => {
        const passed = responseFields(parseResponseHead(`HTTP/1.1 200 OK\r\nSet-Cookie: ${cookie}\r\n\r\n`), false);
        const [, ...attributes] = pairsOf(passed.trimEnd());
        expect(attributes.filter((attribute) => /^domain[ \t]*(=|$)/i.test(attribute))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

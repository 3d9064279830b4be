import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DtkdError } from '../../../protocol/errors.ts';
import fixture from '../../../protocol/fixtures/membership.json' with { type: 'json' };
import { type DomainId, parseDomainId, parseNodeName } from '../../../protocol/ids.ts';
import { formatKey, parseKey } from '../../../protocol/keys/key-text.ts';
import { generateSigningKey, hashHex, signingKeyFromSeed } from '../../../protocol/keys/signing.ts';
import { parseItem, type RootFact, signRootFact } from '../../../protocol/membership/facts.ts';
import { formatToken, parseToken, type TokenParts } from '../../../protocol/membership/token.ts';

const seedOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const domain: DomainId = parseDomainId('d0'.repeat(32));
const root = signingKeyFromSeed(seedOf(1));
const invite = signingKeyFromSeed(seedOf(2));

function parts(overrides: Partial<TokenParts> & { by?: string } = {}): TokenParts {
  const { by = domain, ...rest } = overrides;
  const grant = signRootFact(root, {
    type: 'grant',
    by,
    time: 1_700_000_000_000,
    key: invite.publicKey,
    uses: 2,
    expires: 1_700_086_400_000,
  });
  return { domain, domainName: 'mydomain', root: root.publicKey, hints: ['192.0.2.1:7701', '[2001:db8::1]:7701'], invite, grant, ...rest };
}

function whyMalformed(text: string): string {
  try {
    parseToken(text);
  } catch (error) {
    expect(error).toBeInstanceOf(DtkdError);
    expect(error).toMatchObject({ code: 'TOKEN_MALFORMED', next: expect.stringContaining('token') });
    return String(error);
  }
  throw new Error('the token was accepted');
}

describe('invite tokens', () => {
  it('carry what a joiner needs, in about 400 characters', () => {
    const text = formatToken(parts());
    expect(text.length).toBeLessThan(480);
    expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
    const token = parseToken(text);
    expect(token).toMatchObject({ domain, domainName: 'mydomain', root: root.publicKey, hints: parts().hints });
    expect(token.invite.seed).toEqual(invite.seed);
    expect(token.grant.fact).toMatchObject({ uses: 2, expires: 1_700_086_400_000 });
  });

  it('are read and written for ever as the first ones were', () => {
    expect(formatToken(parts())).toBe(fixture.token);
    expect(parseToken(fixture.token).domain).toBe(domain);
    expect(formatKey('recovery', root)).toBe(fixture.recoveryKey);
    expect(formatKey('root', root)).toBe(fixture.rootKey);
  });

  it('name the domain also after a rotation', () => {
    const token = parseToken(formatToken(parts({ by: 'ee'.repeat(32) })));
    expect(token.domain).toBe(domain);
    expect(token.grant.fact.by).toBe('ee'.repeat(32));
  });

  it('may be broken over lines', () => {
    const text = formatToken(parts());
    expect(parseToken(`  ${text.slice(0, 100)}\r\n  ${text.slice(100)}\n`).domain).toBe(domain);
  });

  it('hold as many hints as fit', () => {
    const token = parseToken(formatToken(parts({ hints: ['a:1', 'b:1', 'x'.repeat(300), '', 'c:1', 'd:1', 'e:1'] })));
    expect(token.hints).toEqual(['a:1', 'b:1', 'c:1', 'd:1']);
  });

  it('say what is wrong with them', () => {
    const text = formatToken(parts());
    expect(whyMalformed('')).toContain('empty');
    expect(whyMalformed(text.slice(0, -1))).toContain(`truncated: ${text.length - 1} of ${text.length}`);
    expect(whyMalformed(text.slice(0, 10))).toContain('truncated');
    expect(whyMalformed(text.slice(0, 2))).toContain('truncated');
    expect(whyMalformed(`${text}AAAA`)).toContain('too long');
    expect(whyMalformed(`${text.slice(0, 50)}+${text.slice(51)}`)).toContain('character 51 ("+")');
    const typo = text[200] === 'A' ? 'B' : 'A';
    expect(whyMalformed(text.slice(0, 200) + typo + text.slice(201))).toContain('checksum');
    expect(whyMalformed('VHNL8qPUdHRoaOTJ8oOoyoKD59CmJOKxjluEj6pIX0mC8RBg')).toContain('does not begin');
    expect(whyMalformed(Buffer.from([2, 0, 9, 9]).toString('base64url'))).toContain('version 2');
    expect(whyMalformed('A'.repeat(5000))).toContain('longer');
    expect(whyMalformed(formatKey('recovery', root))).toContain('not an invite');
    expect(whyMalformed(formatToken(parts({ root: generateSigningKey().publicKey })))).toContain('not signed by the root');
    expect(whyMalformed(formatToken(parts({ invite: generateSigningKey() })))).toContain('secret');
  });

  it('never show the secret in what they say', () => {
    const text = formatToken(parts());
    expect(whyMalformed(`${text}A`)).not.toContain(text.slice(100, 140));
  });

  it('refuse whatever else with TOKEN_MALFORMED and nothing else', () => {
    const real = Buffer.from(formatToken(parts()), 'base64url');
    const changed = fc.record({ at: fc.nat(real.length - 1), xor: fc.integer({ min: 1, max: 255 }) }).map(({ at, xor }) => {
      const copy = Buffer.from(real);
      copy[at] = (copy[at] ?? 0) ^ xor;
      return copy.toString('base64url');
    });
    // With the checksum made right again, the content is what is judged.
    const sealed = fc.uint8Array({ maxLength: 200 }).map((body) => {
      const head = Buffer.concat([Buffer.from([1, body.length >> 8, body.length & 0xff]), body]);
      return Buffer.concat([head, Buffer.from(hashHex(head).slice(0, 8), 'hex')]).toString('base64url');
    });
    fc.assert(
      fc.property(fc.oneof(fc.string(), changed, sealed), (text) => {
        whyMalformed(text);
      }),
      { numRuns: 500 },
    );
  });
});

describe('keys as text', () => {
  it('are read again, also when broken over lines', () => {
    for (const purpose of ['recovery', 'root'] as const) {
      const text = formatKey(purpose, root);
      expect(text).toMatch(new RegExp(`^dtkd-${purpose}-1-[A-Za-z0-9_-]{48}$`));
      expect(parseKey(purpose, ` ${text.slice(0, 30)}\n${text.slice(30)} `).publicKey).toBe(root.publicKey);
    }
  });

  it('say what is wrong with them', () => {
    const text = formatKey('recovery', root);
    const refusal = (bad: string) => {
      try {
        parseKey('recovery', bad);
      } catch (error) {
        expect(error).toMatchObject({ code: 'KEY_WRONG', next: expect.any(String) });
        return String(error);
      }
      throw new Error('the key was accepted');
    };
    expect(refusal('')).toContain('does not begin');
    expect(refusal(formatKey('root', root))).toContain('this is a root key');
    expect(refusal(text.slice(0, -3))).toContain('45 of 48');
    expect(refusal(text.replace('-1-', '-2-'))).toContain('version 2');
    expect(refusal(text.slice(0, -1) + (text.endsWith('A') ? 'B' : 'A'))).toContain('mistyped');
    expect(refusal(formatKey('root', root).replace('root', 'recovery'))).toContain('mistyped');
    expect(refusal(`${text}xyz`)).not.toContain(text.slice(20, 40));
  });
});

describe('grants', () => {
  it('that replace a node have one use', () => {
    const grant: RootFact = {
      type: 'grant',
      by: domain,
      time: 1,
      key: invite.publicKey,
      uses: 2,
      expires: 2,
      replace: parseNodeName('web'),
    };
    expect(() => signRootFact(root, grant)).toThrow();
    expect(parseItem(parts().grant).fact.type).toBe('grant');
  });
});

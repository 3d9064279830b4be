import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandsDigest, inlineCode } from '../../../protocol/definitions/code.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { generateSigningKey, type SigningKey } from '../../../protocol/keys/signing.ts';
import type { Bundle } from '../../../protocol/orders/bundle.ts';
import { bundledChain, signBundle, verifyBundle, verifyStatement } from '../../../protocol/orders/signed-bundle.ts';
import { codeOf } from '../../code-of.ts';

const KEY = generateSigningKey();
const COMMANDS = { Start: { script: { inline: 'true' } }, Stop: { timeout: '5m', script: { inline: 'false', args: ['a'] } } };

function module(key: SigningKey, over: object = {}) {
  const code = { name: 'acme/web', version: '1.0.0', digest: 'a'.repeat(64), publisher: key.publicKey, ...over };
  const statement = Uint8Array.from(encodeCbor(code));
  return { code, signed: { statement, signature: Uint8Array.from(key.sign('module', statement)) } };
}

const resource = (name: string, type: string, more: object = {}) => ({
  object: name,
  uid: 'u1',
  model: 'shop',
  type,
  name,
  labels: {},
  properties: {},
  parents: [],
  children: [],
  deployments: [],
  ...more,
});

function bundle(over: Partial<Bundle> = {}): Bundle {
  const { code, signed } = module(KEY);
  return {
    version: 1,
    owner: KEY.publicKey,
    ownerName: 'node0',
    revision: 7,
    resources: [resource('web1', 'WEB')],
    types: {
      web: { name: 'Web', extends: 'Base', code: inlineCode('Web', COMMANDS, KEY.publicKey), commands: COMMANDS },
      base: { name: 'Base', code },
    },
    modules: [signed],
    ...over,
  };
}

/** Signed without being looked at. */
function forged(content: unknown, key = KEY): Uint8Array {
  const bytes = encodeCbor(content);
  return encodeCbor({ bundle: bytes, signature: key.sign('bundle', bytes) });
}

/** True if a field within has the one name that nothing may have. */
function namesProto(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, inner]) => (key === '__proto__' && !Array.isArray(value)) || namesProto(inner));
}

describe('a signed bundle', () => {
  it('comes back as it was signed, with properties however deep, or is refused', () => {
    const value = fc.jsonValue({ maxDepth: 12 });
    fc.assert(
      fc.property(value, (deep) => {
        const content = bundle({ resources: [resource('web1', 'Web', { properties: { deep } })] });
        if (namesProto(deep)) {
          expect(codeOf(() => signBundle(content, KEY))).toBe('FRAME_INVALID');
          expect(codeOf(() => verifyBundle(forged(content)))).toBe('FRAME_INVALID');
          return;
        }
        const bytes = signBundle(content, KEY);
        const read = verifyBundle(bytes, KEY.publicKey);
        expect(read.bytes).toBe(bytes);
        expect(JSON.parse(JSON.stringify(read.bundle.resources[0]?.properties))).toEqual(JSON.parse(JSON.stringify({ deep })));
      }),
      { numRuns: 50, examples: [[[{ '': { ['__proto__']: false } }]], [['__proto__']], [{ __proto: 1, proto__: '__proto__' }]] },
    );
  });

  it('takes commands with handlers within handlers', () => {
    let step: object = { script: { inline: 'true', secrets: [{ name: 'a', variable: 'A' }] } };
    for (let at = 0; at < 2; at += 1) step = { command: 'Start', 'on-failure': [step] };
    const commands = { Start: { script: { inline: 'true' } }, Deep: { workflow: { steps: [step] } } };
    const web = { name: 'Web', code: inlineCode('Web', commands, KEY.publicKey), commands };
    expect(verifyBundle(signBundle(bundle({ types: { web }, modules: [] }), KEY)).bundle.types['web']?.commands).toEqual(commands);
  });

  it('is of the node that it is taken for', () => {
    const other = generateSigningKey();
    const bytes = signBundle(bundle(), KEY);
    expect(codeOf(() => verifyBundle(bytes, other.publicKey))).toBe('SIGNATURE_INVALID');
    expect(codeOf(() => verifyBundle(forged(bundle(), other)))).toBe('SIGNATURE_INVALID');
    expect(codeOf(() => verifyBundle(bytes))).toBe('none');
  });

  it('cannot be altered', () => {
    const bytes = signBundle(bundle(), KEY);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const copy = Uint8Array.from(bytes);
        copy[at] = (copy[at] ?? 0) ^ change;
        expect(codeOf(() => verifyBundle(copy, KEY.publicKey))).toMatch(/^(FRAME_INVALID|SIGNATURE_INVALID|CONTENT_ALTERED)$/);
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (any) => {
        expect(codeOf(() => verifyBundle(any, KEY.publicKey))).toBe('FRAME_INVALID');
      }),
    );
  });

  it('is whole: types with all that they extend, and somebody who answers for each command', () => {
    const { web, base } = bundle().types;
    if (web === undefined || base === undefined) throw new Error('the fixture has no types');
    const stranger = generateSigningKey();
    const wrong: Partial<Bundle>[] = [
      { types: { web } },
      { types: { base } },
      { types: { web: { ...web, name: 'Other' }, base } },
      { types: { web: { ...web, extends: 'web' }, base } },
      { types: { web: { ...web, commands: { Start: { script: { inline: 'evil' } } } }, base } },
      { types: { web: { ...web, code: inlineCode('Web', COMMANDS, stranger.publicKey) }, base } },
      { types: { web: { name: 'Web', extends: 'Base', commands: COMMANDS }, base } },
      { types: { web: { ...web, code: { ...module(KEY).code } }, base } },
      { modules: [] },
      { modules: [module(stranger).signed] },
      { modules: [module(KEY, { digest: 'b'.repeat(64) }).signed] },
      { resources: [resource('web1', 'Web'), resource('web1', 'Web')] },
      { resources: [resource('web1', 'constructor')] },
    ];
    for (const over of wrong)
      expect(
        codeOf(() => verifyBundle(forged(bundle(over)))),
        JSON.stringify(over),
      ).toBe('CONTENT_ALTERED');
    const signed = { ...module(KEY).signed, signature: new Uint8Array(64) };
    expect(codeOf(() => verifyBundle(forged(bundle({ modules: [signed] }))))).toBe('SIGNATURE_INVALID');
  });

  it('is bounded', () => {
    const big = { properties: { text: 'x'.repeat(1_100_000) } };
    expect(codeOf(() => signBundle(bundle({ resources: [resource('web1', 'Web', big)] }), KEY))).toBe('TOO_LARGE');
    expect(codeOf(() => verifyBundle(new Uint8Array(2_000_000)))).toBe('FRAME_TOO_LARGE');
  });

  it('gives the chain of a type, nearest first', () => {
    expect(bundledChain(bundle().types, 'wEb').map(({ name }) => name)).toEqual(['Web', 'Base']);
  });
});

describe('the digest of commands', () => {
  it('does not depend on the order in which they are written', () => {
    expect(commandsDigest({ Stop: COMMANDS.Stop, Start: COMMANDS.Start })).toBe(commandsDigest(COMMANDS));
    expect(commandsDigest({ Start: COMMANDS.Start })).not.toBe(commandsDigest(COMMANDS));
    expect(commandsDigest({})).toBe('c0b8b77943375e18c011738da710bfd6c782959668a44efc1c64911cc15e6674');
  });
});

describe('a statement', () => {
  it('is true with its own signature only, wherever the bytes of both are cut', () => {
    // a version of 32 characters has its length as a blank before it
    const { code, signed } = module(KEY, { version: `1.0.0-${'a'.repeat(26)}` });
    expect(verifyStatement(signed)).toEqual(code);
    const at = signed.statement.indexOf(0x20);
    expect(at).toBeGreaterThan(0);
    const signature = Uint8Array.from([...signed.signature, 0x20, ...signed.statement.subarray(0, at)]);
    expect(() => verifyStatement({ signature, statement: signed.statement.subarray(at + 1) })).toThrow();
    expect(verifyStatement(signed)).toEqual(code);
  });
});

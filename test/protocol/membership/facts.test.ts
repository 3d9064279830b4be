import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { encodeEnvelope } from '../../../protocol/encoding/envelope.ts';
import { hexOf, isDomainName } from '../../../protocol/encoding/fields.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import fixture from '../../../protocol/fixtures/membership.json' with { type: 'json' };
import { parseDomainId, parseNodeName } from '../../../protocol/ids.ts';
import { hashHex, signingKeyFromSeed, verifySignature } from '../../../protocol/keys/signing.ts';
import { MAX_KEEPS, MAX_MEMBERS, MAX_ROTATION_BYTES, MAX_ROTATION_REMOVED } from '../../../protocol/limits.ts';
import { MAX_FORK_PROOF_BYTES } from '../../../protocol/log/log-entry.ts';
import { parseEnrolment, signCertificate, signEnrolment, verifyEnrolment } from '../../../protocol/membership/certificate.ts';
import {
  encodeFork,
  isItemOf,
  parseItem,
  type RootFact,
  type Rotation,
  recoveryHash,
  signGenesis,
  signLeave,
  signRootFact,
  signRotation,
} from '../../../protocol/membership/facts.ts';

const key = signingKeyFromSeed(new Uint8Array(32).fill(7));
const other = signingKeyFromSeed(new Uint8Array(32).fill(8));
const by = 'ab'.repeat(32);
const time = 1_700_000_000_000;
const name = parseNodeName('web');
const longest = parseNodeName('n'.repeat(63));
const epoch = { ms: time, random: '0123456789abcdef' };

describe('items', () => {
  const facts: RootFact[] = [
    { type: 'grant', by, time, key: key.publicKey, uses: 3, expires: time + 1 },
    { type: 'grant', by, time, key: key.publicKey, uses: 1, expires: time + 1, replace: name },
    { type: 'revocation', by, time, grant: by, keeps: [key.publicKey] },
    { type: 'binding', by, time, key: key.publicKey, name },
    { type: 'removal', by, time, key: key.publicKey, name, keeps: [] },
    { type: 'free', by, time, name, keys: [key.publicKey] },
    { type: 'clearance', by, time, key: key.publicKey, epoch },
  ];

  it.each(facts.map((fact) => [fact.type, fact] as const))('of type %s are read as they were signed', (_type, fact) => {
    const item = parseItem(signRootFact(key, fact));
    expect(item.fact).toEqual(fact);
    expect(item.id).toBe(hashHex(item.payload));
    expect(verifySignature(key.publicKey, 'fact', item.payload, item.signature)).toBe(true);
    expect(verifySignature(other.publicKey, 'fact', item.payload, item.signature)).toBe(false);
  });

  it('of the other types are, too', () => {
    const genesis = {
      type: 'genesis',
      version: 1,
      name: 'mydomain',
      root: key.publicKey,
      recovery: recoveryHash(other.publicKey),
      founder: { key: other.publicKey, name },
      time,
      nonce: new Uint8Array(16).fill(1),
    } as const;
    const item = parseItem(signGenesis(key, genesis));
    expect(item.fact).toEqual(genesis);
    // A domain's id never changes: neither may the encoding of its genesis.
    expect(hexOf(item.bytes)).toBe(fixture.genesis);
    expect(item.id).toBe(fixture.genesisId);
    const domain = parseDomainId(item.id);
    expect(parseItem(signLeave(key, domain)).fact).toEqual({ type: 'leave', domain, key: key.publicKey });
    const proof = Uint8Array.from([1, 2, 3]);
    expect(parseItem(encodeFork(proof)).fact).toEqual({ type: 'fork', proof });
  });

  it('fit their limits at their largest', () => {
    const members = Array.from({ length: MAX_MEMBERS }, () => ({ key: key.publicKey, name: longest, cleared: epoch }));
    const removed = Array.from({ length: MAX_ROTATION_REMOVED }, () => ({
      key: key.publicKey,
      name: longest,
      left: false,
      reserved: false,
    }));
    const rotation: Rotation = {
      type: 'rotation',
      prev: by,
      recoveryKey: key.publicKey,
      root: other.publicKey,
      recovery: by,
      members,
      removed,
      time,
    };
    const bytes = signRotation(key, rotation);
    expect(bytes.length).toBeLessThanOrEqual(MAX_ROTATION_BYTES);
    expect(parseItem(bytes).fact).toEqual(rotation);
    const keeps = Array.from({ length: MAX_KEEPS }, () => key.publicKey);
    expect(isItemOf(parseItem(signRootFact(key, { type: 'removal', by, time, key: key.publicKey, name: longest, keeps })), 'removal')).toBe(
      true,
    );
    const keys = Array.from({ length: 64 }, () => key.publicKey);
    expect(isItemOf(parseItem(signRootFact(key, { type: 'free', by, time, name: longest, keys })), 'free')).toBe(true);
    expect(isItemOf(parseItem(encodeFork(new Uint8Array(MAX_FORK_PROOF_BYTES))), 'fork')).toBe(true);
  });

  it('of a fork have one encoding', () => {
    const { payload } = parseItem(encodeFork(Uint8Array.from([1, 2, 3])));
    expect(() => parseItem(encodeEnvelope(payload, new Uint8Array(64)))).toThrowError(expect.objectContaining({ code: 'FRAME_INVALID' }));
    const reordered = encodeCbor({ proof: Uint8Array.from([1, 2, 3]), type: 'fork' });
    expect(() => parseItem(encodeEnvelope(reordered, new Uint8Array(0)))).toThrowError(expect.objectContaining({ code: 'FRAME_INVALID' }));
  });

  it('that are anything else are refused with a code', () => {
    const real = signRootFact(key, { type: 'binding', by, time, key: key.publicKey, name });
    const changed = fc.record({ at: fc.nat(real.length - 1), value: fc.nat(255) }).map(({ at, value }) => real.with(at, value));
    const shaped = fc.object().map((value) => encodeEnvelope(encodeCbor(value), new Uint8Array(64)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), changed, shaped), (bytes) => {
        try {
          parseItem(bytes);
        } catch (error) {
          if (!(error instanceof DtkdError)) throw error;
          expect(['FRAME_INVALID', 'FRAME_TOO_LARGE']).toContain(error.code);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('domain names', () => {
  it.each(['mydomain', 'a', 'a.b-c.d', 'x'.repeat(63)])('may be %s', (text) => expect(isDomainName(text)).toBe(true));
  it.each(['', 'My', '-a', 'a-', 'a..b', 'a.-b', '.a', 'default', 'x'.repeat(64), 'a_b', 'a b'])('may not be "%s"', (text) =>
    expect(isDomainName(text)).toBe(false),
  );
});

describe('certificates', () => {
  const invite = signingKeyFromSeed(new Uint8Array(32).fill(9));
  const enrolment = signEnrolment(invite, key, { grant: by, name });

  it('hold the enrolment as signed, and who witnessed it', () => {
    const item = parseItem(signCertificate(other, enrolment, { clock: time, count: 2, via: by }));
    expect(hexOf(item.bytes)).toBe(fixture.certificate);
    if (!isItemOf(item, 'certificate')) throw new Error('not a certificate');
    expect(item.fact).toMatchObject({ key: key.publicKey, name, grant: by, admitter: other.publicKey, clock: time, count: 2, via: by });
    expect(verifySignature(other.publicKey, 'witness', item.payload, item.signature)).toBe(true);
    expect(verifyEnrolment(invite.publicKey, key.publicKey, item.fact.enrolment)).toBe(true);
  });

  it('are one link however often the admitter witnesses the same', () => {
    const certificate = (options: { clock?: number; count?: number; via?: string }, admitter = other) => {
      const { fact } = parseItem(signCertificate(admitter, enrolment, { clock: 1, count: 1, via: undefined, ...options }));
      return fact.type === 'certificate' ? fact.link : undefined;
    };
    expect(certificate({ clock: 5 })).toBe(certificate({ count: 3 }));
    expect(certificate({ via: by })).not.toBe(certificate({}));
    expect(certificate({}, key)).not.toBe(certificate({}));
  });

  it('need the invite key and the joiner, both over the same', () => {
    const elsewhere = signEnrolment(invite, key, { grant: by, name: longest });
    expect(parseEnrolment(enrolment.body)).toEqual({ grant: by, key: key.publicKey, name });
    expect(verifyEnrolment(invite.publicKey, key.publicKey, { ...enrolment, signature: elsewhere.signature })).toBe(false);
    expect(verifyEnrolment(invite.publicKey, key.publicKey, { ...enrolment, consent: elsewhere.consent })).toBe(false);
    expect(verifyEnrolment(invite.publicKey, key.publicKey, { ...enrolment, consent: enrolment.signature })).toBe(false);
    expect(verifyEnrolment(other.publicKey, key.publicKey, enrolment)).toBe(false);
  });
});

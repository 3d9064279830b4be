import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { parseDomainId } from '../../../protocol/ids.ts';
import { generateSigningKey, signingKeyFromSeed } from '../../../protocol/keys/signing.ts';
import {
  compareEpochs,
  type EntryBody,
  epochText,
  forkProof,
  MAX_ENTRY_BYTES,
  MAX_EPOCH_MS,
  MAX_SEQ,
  NO_ENTRY,
  parseEntry,
  parsePointText,
  pointText,
  signEntry,
  verifyEntry,
  verifyForkProof,
} from '../../../protocol/log/log-entry.ts';

const domain = parseDomainId('ab'.repeat(32));
const key = signingKeyFromSeed(Uint8Array.from({ length: 32 }, (_, index) => index));
const update = Uint8Array.of(0, 0);

function fields(changes: Partial<EntryBody> = {}): EntryBody {
  const epoch = { ms: 1_767_225_600_000, random: '00112233445566ff' };
  return { domain, author: key.publicKey, epoch, seq: 0, prev: NO_ENTRY, lineage: [], open: true, openEnd: true, update, ...changes };
}

function second(changes: Partial<EntryBody> = {}) {
  const first = signEntry(key, fields());
  return signEntry(key, fields({ seq: 1, prev: first.hash, open: false, openEnd: false, ...changes }));
}

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return error instanceof DtkdError ? error.code : 'another error';
  }
  return 'no error';
};

const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

describe('log entries', () => {
  it('parse to what was signed', () => {
    const lineage = [{ epoch: { ms: 5, random: 'ff00000000000000' }, seq: 7 }];
    const entry = signEntry(key, fields({ lineage }));
    const parsed = parseEntry(entry.bytes);
    verifyEntry(parsed, domain);
    expect(parsed).toMatchObject({ ...fields({ lineage }), hash: entry.hash, update: expect.anything() });
    expect(Uint8Array.from(parsed.update)).toEqual(update);
  });

  it('verify for their domain and author only', () => {
    const entry = second();
    expect(code(() => verifyEntry(parseEntry(entry.bytes), parseDomainId('cd'.repeat(32))))).toBe('ENTRY_INVALID');
    const forged = signEntry(generateSigningKey(), fields());
    expect(code(() => verifyEntry(parseEntry(forged.bytes), domain))).toBe('SIGNATURE_INVALID');
  });

  it('are refused for any byte that was altered', () => {
    const { bytes } = second({ update: Uint8Array.from({ length: 40 }, (_, index) => index) });
    for (let index = 0; index < bytes.length; index += 1) {
      const altered = Uint8Array.from(bytes);
      altered[index] = (altered[index] ?? 0) ^ 0x11;
      expect(['ENTRY_INVALID', 'SIGNATURE_INVALID']).toContain(code(() => verifyEntry(parseEntry(altered), domain)));
    }
  });

  it('are named by their body, whatever the signature and the framing', () => {
    const entry = second();
    const other = Uint8Array.from(entry.signature, (byte) => byte ^ 0xff);
    expect(parseEntry(encodeCbor([entry.body, other])).hash).toBe(entry.hash);
  });

  it.each([
    ['a first entry without lineage', { lineage: undefined }],
    ['a later entry with lineage', { seq: 1, prev: Buffer.alloc(32, 1) }],
    ['a later entry that follows none', { seq: 1, lineage: undefined }],
    ['a first entry that follows one', { prev: Buffer.alloc(32, 1) }],
    ['a first entry that opens nothing', { open: undefined, openEnd: undefined }],
    ['an end without an opening', { seq: 1, lineage: undefined, prev: Buffer.alloc(32, 1), open: undefined }],
    ['a lineage that names its own epoch', { lineage: [[7, Buffer.alloc(8), 1]] }],
    [
      'a lineage out of order',
      {
        lineage: [
          [3, Buffer.alloc(8), 1],
          [4, Buffer.alloc(8), 1],
        ],
      },
    ],
    ['a lineage that is too long', { lineage: Array.from({ length: 33 }, () => [3, Buffer.alloc(8), 1]) }],
    ['a negative sequence number', { seq: -1 }],
    ['a sequence number beyond 32 bits', { seq: MAX_SEQ + 1 }],
    ['an epoch beyond 48 bits', { epoch: [MAX_EPOCH_MS + 1, Buffer.alloc(8)] }],
    ['a short author', { author: Buffer.alloc(31) }],
    ['a text for an update', { update: 'abc' }],
  ])('are refused: %s', (_what, changes) => {
    const body = {
      domain: unhex(domain),
      author: unhex(key.publicKey),
      epoch: [7, Buffer.alloc(8)],
      seq: 0,
      prev: Buffer.alloc(32),
      lineage: [],
      open: true,
      openEnd: true,
      update,
      ...changes,
    };
    const present = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
    const bytes = encodeCbor(present);
    expect(code(() => parseEntry(encodeCbor([bytes, key.sign('entry', bytes)])))).toBe('ENTRY_INVALID');
  });

  it('carry fields of later versions through', () => {
    const { body } = signEntry(key, fields());
    const bytes = encodeCbor({
      domain: unhex(domain),
      author: unhex(key.publicKey),
      epoch: [7, Buffer.alloc(8)],
      seq: 0,
      prev: Buffer.alloc(32),
      lineage: [],
      open: true,
      update,
      later: { anything: [1, 2] },
    });
    expect(bytes).not.toEqual(body);
    verifyEntry(parseEntry(encodeCbor([bytes, key.sign('entry', bytes)])), domain);
  });

  it('are never made larger than anybody would take', () => {
    expect(code(() => signEntry(key, fields({ update: new Uint8Array(MAX_ENTRY_BYTES) })))).toBe('QUOTA_EXCEEDED');
    expect(code(() => parseEntry(new Uint8Array(MAX_ENTRY_BYTES + 1)))).toBe('ENTRY_INVALID');
  });

  it('refuse random bytes with ENTRY_INVALID and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(code(() => parseEntry(bytes))).toBe('ENTRY_INVALID');
      }),
      { numRuns: 1000 },
    );
  });

  it('are what the fixtures say', () => {
    const fixtures = readFixtures();
    for (const { hex, ...wanted } of fixtures.valid) {
      const entry = parseEntry(unhex(hex));
      verifyEntry(entry, domain);
      expect({ hash: entry.hash, author: entry.author, epoch: epochText(entry.epoch), seq: entry.seq }).toMatchObject(wanted.says);
    }
    for (const { name, hex, code: refusal } of fixtures.hostile) {
      expect(`${name}: ${code(() => verifyEntry(parseEntry(unhex(hex)), domain))}`).toBe(`${name}: ${refusal}`);
    }
  });

  it('are signed today as the fixtures were', () => {
    const [first] = readFixtures().valid;
    expect(Buffer.from(signEntry(key, fields()).bytes).toString('hex')).toBe(first?.hex);
  });
});

interface Fixtures {
  valid: { name: string; hex: string; says: object }[];
  hostile: { name: string; hex: string; code: string }[];
}

function readFixtures(): Fixtures {
  return JSON.parse(readFileSync(new URL('../../../protocol/fixtures/log-entries.json', import.meta.url), 'utf8'));
}

describe('epochs', () => {
  it('sort as text as they compare', () => {
    const epoch = fc.record({ ms: fc.nat({ max: 2 ** 31 - 1 }), random: fc.stringMatching(/^[0-9a-f]{16}$/) });
    fc.assert(
      fc.property(epoch, epoch, (a, b) => {
        expect(Math.sign(compareEpochs(a, b))).toBe(epochText(a) < epochText(b) ? -1 : Number(epochText(a) > epochText(b)));
      }),
    );
  });

  it('are read back from text', () => {
    const point = { epoch: { ms: MAX_EPOCH_MS, random: 'fedcba9876543210' }, seq: MAX_SEQ };
    expect(parsePointText(pointText(point))).toEqual(point);
    expect(parsePointText('f'.repeat(36))).toBeUndefined();
    expect(parsePointText('0'.repeat(35))).toBeUndefined();
  });
});

describe('fork proofs', () => {
  it('prove two entries at one place, in either order', () => {
    const a = second();
    const b = second({ update: Uint8Array.of(0, 0, 0) });
    expect(verifyForkProof(forkProof(a, b))).toEqual({ domain, author: key.publicKey, epoch: a.epoch, seq: 1 });
    expect(forkProof(a, b)).toEqual(forkProof(b, a));
  });

  it('prove a successor that does not follow', () => {
    const first = signEntry(key, fields());
    const stranger = second({ prev: '11'.repeat(32) });
    expect(verifyForkProof(forkProof(first, stranger))).toMatchObject({ author: key.publicKey, seq: 1 });
  });

  it('prove nothing else', () => {
    const a = second();
    const first = signEntry(key, fields());
    const otherEpoch = second({ epoch: { ms: 1, random: '0'.repeat(16) }, update: Uint8Array.of(1) });
    const otherAuthor = generateSigningKey();
    const b = signEntry(otherAuthor, { ...a, author: otherAuthor.publicKey });
    const later = second({ seq: 5, prev: '22'.repeat(32) });
    for (const pair of [
      [a, a],
      [first, a],
      [a, otherEpoch],
      [a, b],
      [a, later],
    ] as const) {
      expect(verifyForkProof(forkProof(pair[0], pair[1]))).toBeUndefined();
    }
    const forged = signEntry(otherAuthor, { ...a, update: Uint8Array.of(9) });
    expect(verifyForkProof(forkProof(a, forged))).toBeUndefined();
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => verifyForkProof(bytes) === undefined));
  });
});

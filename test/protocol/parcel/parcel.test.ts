import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { parseDomainId } from '../../../protocol/ids.ts';
import { signingKeyFromSeed } from '../../../protocol/keys/signing.ts';
import { ParcelGrammar } from '../../../protocol/parcel/grammar.ts';
import { MAX_PARCEL_FRAME_BYTES, type ParcelFrame } from '../../../protocol/parcel/parcel.ts';
import { readParcel } from '../../../protocol/parcel/reader.ts';
import { ParcelWriter } from '../../../protocol/parcel/writer.ts';

const key = signingKeyFromSeed(new Uint8Array(32).fill(7));
const other = signingKeyFromSeed(new Uint8Array(32).fill(8));
const domain = parseDomainId('ab'.repeat(32));
const HEAD = { id: '00'.repeat(16), made: 1_700_000_000_000, program: '1.2.3' };
const head = { author: key.publicKey, epoch: { ms: 5, random: '12'.repeat(8) }, seq: 3, hash: 'cd'.repeat(32) };
const bytes = (length: number, fill = 1) => new Uint8Array(length).fill(fill);

const FRAMES: Exclude<ParcelFrame, { type: 'sum' } | { type: 'end' }>[] = [
  { type: 'section', name: 'modules' },
  { type: 'module', digest: 'ee'.repeat(32), size: 5, statement: bytes(3), signature: bytes(64) },
  { type: 'piece', bytes: bytes(3) },
  { type: 'piece', bytes: bytes(2) },
  { type: 'section', name: 'facts', domain },
  { type: 'domain', domain, name: 'field', maker: key.publicKey, makerName: 'a', heads: [head], partial: false },
  { type: 'items', items: [bytes(20), bytes(30)] },
  { type: 'section', name: 'logs', domain },
  { type: 'entries', entries: [bytes(400), bytes(1)] },
  { type: 'section', name: 'orders', domain },
  { type: 'cancel', starter: 'aa'.repeat(32), target: 'bb'.repeat(32), id: 'cc'.repeat(32), index: 0, notAfter: 9, signature: bytes(64) },
];

function written(frames = FRAMES, signer = key): Buffer {
  const writer = new ParcelWriter();
  const chunks = [
    writer.begin(HEAD),
    ...frames.map((frame) => writer.frame(frame)),
    writer.end((_domain, seal) => signer.sign('parcel', seal)),
  ];
  return Buffer.concat(chunks);
}

async function* inChunks(all: Uint8Array, sizes: readonly number[] = [all.length]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let turn = 0; at < all.length; turn += 1) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
    yield all.subarray(at, at + size);
    at += size;
  }
}

async function read(all: Uint8Array, sizes?: readonly number[]): Promise<ParcelFrame[]> {
  const frames: ParcelFrame[] = [];
  for await (const { frame } of readParcel(inChunks(all, sizes))) frames.push(frame);
  return frames;
}

async function codeOf(all: Uint8Array): Promise<string> {
  try {
    await read(all);
    return 'read';
  } catch (error) {
    return error instanceof DtkdError ? error.code : String(error);
  }
}

const PARCEL = written();
const REFUSALS = ['PARCEL_INVALID', 'PARCEL_ALTERED', 'VERSION_TOO_OLD'];

describe('a parcel', () => {
  test('is read as it was written, in whatever pieces it comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }), async (sizes) => {
        const frames = await read(PARCEL, sizes);
        expect(frames.slice(0, -2)).toEqual([{ type: 'head', ...HEAD }, ...FRAMES]);
        expect(frames.at(-1)?.type).toBe('end');
      }),
      { numRuns: 25 },
    );
  });

  test('is refused wherever a bit of it was changed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(PARCEL.length - 1), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
        const altered = Uint8Array.from(PARCEL);
        altered[at] = (altered[at] ?? 0) ^ (1 << bit);
        expect(REFUSALS).toContain(await codeOf(altered));
      }),
      { numRuns: 300 },
    );
  });

  test('is refused wherever it breaks off, and whatever follows it', async () => {
    for (let end = 0; end < PARCEL.length; end += 1) expect(await codeOf(PARCEL.subarray(0, end))).toBe('PARCEL_INVALID');
    expect(await codeOf(Buffer.concat([PARCEL, bytes(1)]))).toBe('PARCEL_ALTERED');
    expect(await codeOf(Buffer.concat([PARCEL, PARCEL]))).toBe('PARCEL_ALTERED');
    expect(await codeOf(Buffer.concat([PARCEL, encodeFrame(bytes(3))]))).toBe('PARCEL_ALTERED');
  });

  test('is refused with a code, whatever bytes there are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (noise, begun) => {
        const all = begun ? Buffer.concat([Buffer.from('dtkd parcel 1\n'), noise]) : noise;
        expect(REFUSALS).toContain(await codeOf(all));
      }),
    );
  });

  test('tells where it is damaged, and that it is of a later format', async () => {
    const entry = PARCEL.indexOf(Buffer.from(bytes(400))) + 200;
    const altered = Uint8Array.from(PARCEL);
    altered[entry] = 9;
    await expect(read(altered)).rejects.toMatchObject({
      code: 'PARCEL_ALTERED',
      message: expect.stringContaining('the logs of the domain "field"'),
    });
    await expect(read(PARCEL.subarray(0, entry))).rejects.toMatchObject({
      message: expect.stringContaining(`after ${entry} bytes, within the logs`),
    });
    await expect(read(Buffer.from('dtkd parcel 2\nwhatever'))).rejects.toMatchObject({ code: 'VERSION_TOO_OLD' });
    await expect(read(Buffer.from('PK\u0003\u0004 something else altogether, and long'))).rejects.toMatchObject({ code: 'PARCEL_INVALID' });
  });

  test('is refused if another than its maker has signed it', async () => {
    await expect(read(written(FRAMES, other))).rejects.toMatchObject({
      code: 'PARCEL_ALTERED',
      message: expect.stringContaining('"field"'),
    });
  });

  test('is refused at a frame that says that it is too large, before it has come', async () => {
    const header = Buffer.alloc(4);
    header.writeUInt32BE(MAX_PARCEL_FRAME_BYTES + 1);
    await expect(read(Buffer.concat([Buffer.from('dtkd parcel 1\n'), header]))).rejects.toMatchObject({ code: 'PARCEL_INVALID' });
    const odd = encodeFrame(encodeCbor({ type: 'surprise' }));
    await expect(read(Buffer.concat([Buffer.from('dtkd parcel 1\n'), odd]))).rejects.toMatchObject({ code: 'PARCEL_INVALID' });
  });
});

describe('the order of frames', () => {
  const start: ParcelFrame = { type: 'head', ...HEAD };
  const modules: ParcelFrame[] = FRAMES.slice(0, 4);
  const facts: ParcelFrame[] = FRAMES.slice(4, 6);
  const tries: [string, ParcelFrame[]][] = [
    ['no head', [...facts]],
    ['two heads', [start, start]],
    ['a frame outside of sections', [start, { type: 'entries', entries: [bytes(1)] }]],
    ['logs before facts', [start, { type: 'section', name: 'logs', domain }]],
    ['facts that name no domain', [start, { type: 'section', name: 'facts', domain }, { type: 'items', items: [bytes(1)] }]],
    [
      'a section after facts that name no domain',
      [start, { type: 'section', name: 'facts', domain }, { type: 'section', name: 'logs', domain }],
    ],
    ['a domain twice', [start, ...facts, ...facts]],
    ['sections out of order', [start, ...facts, { type: 'section', name: 'answers', domain }, { type: 'section', name: 'logs', domain }]],
    ['an entry among facts', [start, ...facts, { type: 'entries', entries: [bytes(1)] }]],
    ['modules of a domain', [start, { type: 'section', name: 'modules', domain }]],
    ['modules after a domain', [start, ...facts, ...modules]],
    ['half a module', [start, ...modules.slice(0, 3), { type: 'sum', sections: [] }]],
    ['too much of a module', [start, ...modules, { type: 'piece', bytes: bytes(1) }]],
    ['an end without a sum', [start, { type: 'end', digest: 'aa'.repeat(32), signatures: [] }]],
  ];

  test.each(tries)('%s is refused', (_what, frames) => {
    const grammar = new ParcelGrammar();
    const all = () => {
      for (const frame of frames) grammar.next(frame);
    };
    expect(all).toThrow(/this is not a valid bundle/);
  });
});

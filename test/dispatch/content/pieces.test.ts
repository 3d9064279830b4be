import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createContent } from '../../../daemon/src/dispatch/content/content.ts';
import type { ContentStore, PiecesWanted } from '../../../daemon/src/dispatch/content/content.types.ts';
import { DISTRUST_MS } from '../../../daemon/src/dispatch/content/limits.ts';
import { memoryKv } from '../../../daemon/src/store/memory-kv.ts';
import { decodeCbor, encodeCbor } from '../../../protocol/cbor.ts';
import { createFrameDecoder, encodeFrame } from '../../../protocol/frames.ts';
import { CONTENT_PROTOCOL, contentRequest } from '../../../protocol/orders/messages.ts';
import { waitFor } from '../../wait.ts';
import { domainId, FakeNetwork, keyOf } from '../fake-members.ts';

const site = domainId('site');
const silent = { debug() {}, info() {}, warn() {}, child: () => silent };
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const at = (node: string) => ({ domain: site, key: keyOf(node, site) });
const PIECE = 20_000;

let directory = '';
let network = new FakeNetwork();
let time = 1_000_000;
const running: ContentStore[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-pieces-'));
  network = new FakeNetwork();
  time = 1_000_000;
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((content) => content.stop()));
  await rm(directory, { recursive: true, force: true });
});

async function nodeWith(name: string, options: { takeOverMs?: number; patienceMs?: number; capacity?: number } = {}) {
  const content = createContent({
    directory: join(directory, name),
    members: network.node(name),
    rows: memoryKv(),
    logger: silent,
    now: () => time,
    restMs: 5,
    ...options,
  });
  await content.start();
  running.push(content);
  return content;
}

/** A node that has the bytes and gives them to every member. */
async function giver(name: string, bytes: Uint8Array) {
  const content = await nodeWith(name);
  const { digest } = await content.take(chunks(bytes), { limit: 10_000_000 });
  await content.allow(digest, 'members', Number.POSITIVE_INFINITY);
  return content;
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function wanted(bytes: Uint8Array, more: Partial<PiecesWanted> = {}): PiecesWanted {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += PIECE) pieces.push(sha256(bytes.subarray(start, start + PIECE)));
  return {
    digest: sha256(bytes).toString('hex'),
    size: bytes.length,
    pieceBytes: PIECE,
    pieces,
    prefer: [],
    signal: AbortSignal.timeout(8_000),
    ...more,
  };
}

/** A member that answers as it likes. */
function liar(name: string, answer: (request: { offset: number; length?: number | undefined }) => Uint8Array[] | undefined): void {
  network.node(name).handle(CONTENT_PROTOCOL, (stream) => {
    const decoder = createFrameDecoder(1_024);
    stream.on('data', (chunk: Buffer) => {
      for (const frame of decoder.push(chunk)) {
        const frames = answer(decodeCbor(frame, contentRequest, 'a request'));
        if (frames === undefined) continue;
        for (const one of frames) stream.write(one);
        stream.end();
      }
    });
  });
}
const head = (size: number) => encodeFrame(encodeCbor({ size }));
const asked = (node: string) => network.opened.filter(({ to }) => to === node).length;

describe('what comes in pieces', () => {
  test('comes from several members at once', async () => {
    const bytes = randomBytes(30 * PIECE + 17);
    await giver('a', bytes);
    await giver('b', bytes);
    await nodeWith('without');
    const asker = await nodeWith('asker');
    const told: { done: number; size: number; members: readonly string[] }[] = [];
    const path = await asker.fetchPieces(wanted(bytes, { prefer: [at('a')], onProgress: (one) => told.push(one) }));
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect([...(told.at(-1)?.members ?? [])].sort()).toEqual(['a', 'b']);
    expect(told.at(-1)).toMatchObject({ done: bytes.length, size: bytes.length });
    expect(told.map(({ done }) => done)).toEqual(told.map(({ done }) => done).sort((x, y) => x - y));
    expect(Math.min(asked('a'), asked('b'))).toBeGreaterThan(5);
    expect(asked('without')).toBe(1);
    const before = network.opened.length;
    await asker.fetchPieces(wanted(bytes));
    expect(network.opened).toHaveLength(before);
    expect(await readdir(join(directory, 'asker', 'partial'))).toEqual([]);
  });

  test('is fetched once, however many wait', async () => {
    const bytes = randomBytes(5 * PIECE);
    await giver('a', bytes);
    const asker = await nodeWith('asker');
    await Promise.all(Array.from({ length: 10 }, () => asker.fetchPieces(wanted(bytes))));
    expect(asked('a')).toBe(5);
  });

  test('is gone on with after a break and a restart: nothing comes twice', async () => {
    const bytes = randomBytes(20 * PIECE);
    await giver('a', bytes);
    const first = await nodeWith('asker');
    const give = new AbortController();
    let done = 0;
    const broken = first.fetchPieces(
      wanted(bytes, {
        signal: give.signal,
        onProgress: (one) => {
          done = one.done;
          if (done >= 8 * PIECE) give.abort();
        },
      }),
    );
    await expect(broken).rejects.toMatchObject({ code: 'TIMEOUT' });
    await first.stop();
    const again = await nodeWith('asker');
    const begun: number[] = [];
    const before = network.opened.length;
    const path = await again.fetchPieces(wanted(bytes, { onProgress: (one) => begun.push(one.done) }));
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(begun[0]).toBeGreaterThanOrEqual(8 * PIECE);
    expect(network.opened.length - before).toBeLessThanOrEqual(12);
  });

  test('of which a part on the disk was altered meanwhile is fetched anew in that part only', async () => {
    const bytes = randomBytes(4 * PIECE);
    const asker = await nodeWith('asker');
    const half = Buffer.concat([bytes.subarray(0, PIECE), randomBytes(PIECE), bytes.subarray(2 * PIECE, 3 * PIECE)]);
    await expect(asker.fetchPieces(wanted(bytes))).rejects.toMatchObject({ code: 'CONTENT_MISSING' });
    const [partial = ''] = await readdir(join(directory, 'asker', 'partial'));
    await writeFile(join(directory, 'asker', 'partial', partial), half);
    await asker.sweep();
    await giver('a', bytes);
    const path = await asker.fetchPieces(wanted(bytes));
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(asked('a')).toBe(2);
  });

  test('is missing at once if nobody who can be reached has it, and what has come is kept', async () => {
    const bytes = randomBytes(3 * PIECE);
    await nodeWith('without');
    const asker = await nodeWith('asker');
    await giver('a', bytes);
    network.cut('a', 'asker');
    const missing = asker.fetchPieces(wanted(bytes, { prefer: [at('a')] }));
    await expect(missing).rejects.toMatchObject({ code: 'CONTENT_MISSING', next: expect.stringContaining('when a is connected') });
    network.heal('a', 'asker');
    await asker.fetchPieces(wanted(bytes, { prefer: [at('a')] }));
  });

  test('goes on with another member when the one that gives goes away', async () => {
    const bytes = randomBytes(20 * PIECE);
    await giver('a', bytes);
    await giver('b', bytes);
    network.cut('b', 'asker');
    const asker = await nodeWith('asker');
    const path = await asker.fetchPieces(
      wanted(bytes, {
        onProgress: ({ done }) => {
          if (done !== 6 * PIECE) return;
          network.heal('b', 'asker');
          network.stop('a');
        },
      }),
    );
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(asked('b')).toBeGreaterThan(0);
  });

  test('survives any cuts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(25_000), { maxLength: 12 }), fc.integer({ min: 1, max: 6 * PIECE }), async (cuts, size) => {
        network = new FakeNetwork();
        time += 1;
        const bytes = randomBytes(size);
        await giver(`a${time}`, bytes);
        await giver(`b${time}`, bytes);
        const asker = await nodeWith(`c${time}`);
        const left = [...cuts];
        network.breaks = () => {
          const back = left.shift();
          return back === undefined ? undefined : { back };
        };
        expect((await readFile(await asker.fetchPieces(wanted(bytes)))).equals(bytes)).toBe(true);
      }),
      { numRuns: 15 },
    );
  });
});

describe('members that do harm', () => {
  test('with altered bytes are named and not asked again, also by later fetches', async () => {
    const bytes = randomBytes(12 * PIECE);
    const altered = Buffer.from(bytes);
    for (let start = 100; start < altered.length; start += PIECE) altered[start] = (altered[start] ?? 0) ^ 1;
    liar('liar', ({ offset, length = 0 }) => [head(bytes.length), encodeFrame(altered.subarray(offset, offset + length))]);
    const good = await giver('good', bytes);
    const asker = await nodeWith('asker');
    const named: string[] = [];
    const path = await asker.fetchPieces(wanted(bytes, { prefer: [at('liar')], onAltered: ({ node }) => named.push(node) }));
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(named).toEqual(['liar']);
    expect(asked('liar')).toBe(1);
    // it is remembered for a while
    const last = await nodeWith('last');
    network.stop('good');
    await good.stop();
    const refused = { code: 'CONTENT_ALTERED', message: expect.stringContaining('altered at liar') };
    await expect(last.fetchPieces(wanted(bytes))).rejects.toMatchObject(refused);
    const before = asked('liar');
    await expect(last.fetchPieces(wanted(bytes))).rejects.toMatchObject(refused);
    expect(asked('liar')).toBe(before);
    time += DISTRUST_MS + 1;
    await expect(last.fetchPieces(wanted(bytes))).rejects.toMatchObject(refused);
    expect(asked('liar')).toBe(before + 1);
  });

  test.each<[string, (bytes: Buffer) => Uint8Array[] | undefined]>([
    ['another size', () => [head(4_000_000_000)]],
    ['another size, and a piece', (bytes) => [head(bytes.length - 1), encodeFrame(bytes.subarray(0, PIECE))]],
    ['a huge frame', (bytes) => [head(bytes.length), Buffer.from([0xff, 0xff, 0xff, 0xff])]],
    ['empty frames', (bytes) => [head(bytes.length), ...Array.from({ length: 100 }, () => encodeFrame(Buffer.alloc(0)))]],
    ['no head', () => [encodeFrame(Buffer.from('hello'))]],
    ['too much', (bytes) => [head(bytes.length), ...[0, 1, 2, 3].map(() => encodeFrame(randomBytes(60_000)))]],
  ])('by %s are named', async (_what, frames) => {
    const bytes = randomBytes(4 * PIECE);
    liar('liar', () => frames(bytes));
    await giver('good', bytes);
    const asker = await nodeWith('asker');
    const named: string[] = [];
    const path = await asker.fetchPieces(wanted(bytes, { prefer: [at('liar')], onAltered: ({ node }) => named.push(node) }));
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(named).toEqual(['liar']);
  });

  test.each<[string, Uint8Array[] | undefined]>([
    ['say nothing', undefined],
    ['end at once', []],
  ])('that %s hold nothing up', async (_what, frames) => {
    const bytes = randomBytes(10 * PIECE);
    liar('liar', () => frames);
    await giver('good', bytes);
    const asker = await nodeWith('asker', { takeOverMs: 30 });
    const path = await asker.fetchPieces(wanted(bytes, { prefer: [at('liar')] }));
    expect((await readFile(path)).equals(bytes)).toBe(true);
    await waitFor(() => network.openStreams === 0);
  });

  test('that give some of it and then nothing are taken over from, down to the last piece', async () => {
    const bytes = randomBytes(2 * PIECE);
    liar('slow', ({ offset, length = 0 }) =>
      offset === 0 ? [head(bytes.length), encodeFrame(bytes.subarray(offset, offset + length))] : undefined,
    );
    await giver('good', bytes);
    network.cut('good', 'asker');
    const asker = await nodeWith('asker', { takeOverMs: 30 });
    const path = await asker.fetchPieces(
      wanted(bytes, {
        prefer: [at('slow')],
        onProgress: ({ done }) => {
          if (done === PIECE) network.heal('good', 'asker');
        },
      }),
    );
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(asked('good')).toBe(1);
  });

  test('that know of no lengths are understood', async () => {
    const bytes = randomBytes(3 * PIECE);
    liar('old', ({ offset }) => [
      head(bytes.length),
      encodeFrame(bytes.subarray(offset, offset + PIECE)),
      encodeFrame(bytes.subarray(offset)),
    ]);
    const asker = await nodeWith('asker');
    expect((await readFile(await asker.fetchPieces(wanted(bytes)))).equals(bytes)).toBe(true);
  });

  test('that tell wrong hashes of pieces do not put others in the wrong', async () => {
    const bytes = randomBytes(2 * PIECE);
    const other = randomBytes(2 * PIECE);
    liar('liar', ({ offset, length = 0 }) => [head(other.length), encodeFrame(other.subarray(offset, offset + length))]);
    await giver('good', bytes);
    const asker = await nodeWith('asker');
    const { digest } = wanted(bytes);
    const wrong = asker.fetchPieces(wanted(other, { digest, prefer: [at('good'), at('liar')] }));
    const right = asker.fetchPieces(wanted(bytes, { prefer: [at('good')] }));
    await expect(wrong).rejects.toMatchObject({ code: 'CONTENT_ALTERED', details: { toldWrong: true } });
    expect((await readFile(await right)).equals(bytes)).toBe(true);
    const again = await nodeWith('again');
    await expect(again.fetchPieces(wanted(other, { digest, prefer: [at('good')] }))).rejects.toMatchObject({ code: 'CONTENT_ALTERED' });
    expect((await readFile(await again.fetchPieces(wanted(bytes)))).equals(bytes)).toBe(true);
  });

  test('that publish wrong hashes of the whole are found out, and nothing is kept', async () => {
    const bytes = randomBytes(2 * PIECE);
    const other = randomBytes(2 * PIECE);
    const digest = sha256(other).toString('hex');
    liar('liar', ({ offset, length = 0 }) => [head(bytes.length), encodeFrame(bytes.subarray(offset, offset + length))]);
    const asker = await nodeWith('asker');
    await expect(asker.fetchPieces(wanted(bytes, { digest }))).rejects.toMatchObject({ code: 'CONTENT_ALTERED' });
    expect(await readdir(join(directory, 'asker', 'partial'))).toEqual([]);
    await expect(asker.fetchPieces(wanted(bytes, { signal: AbortSignal.abort() }))).rejects.toMatchObject({ code: 'TIMEOUT' });
    const small = await nodeWith('small', { capacity: 1_000 });
    await expect(small.fetchPieces(wanted(bytes))).rejects.toMatchObject({ code: 'DISK_FULL' });
  });
});

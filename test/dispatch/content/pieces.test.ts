import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PiecesWanted } from '../../../daemon/src/dispatch/content/content.types.ts';
import { DISTRUST_MS } from '../../../daemon/src/dispatch/content/limits.ts';
import { decodeCbor, encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { createFrameDecoder, encodeFrame } from '../../../protocol/encoding/frames.ts';
import { CONTENT_PROTOCOL, contentRequest } from '../../../protocol/orders/messages.ts';
import { waitFor } from '../../wait.ts';
import { FakeNetwork } from '../fake-members.ts';
import { at, chunks, useContentWorld } from './content-world.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const PIECE = 20_000;

const world = useContentWorld();

/** A node that has the bytes and gives them to every member. */
async function giver(name: string, bytes: Uint8Array) {
  const content = await world.node(name);
  const { digest } = await content.take(chunks(bytes), { limit: 10_000_000 });
  await content.allow(digest, 'members', Number.POSITIVE_INFINITY);
  return content;
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
    signal: AbortSignal.timeout(60_000),
    ...more,
  };
}

/** A member that answers as it likes. */
function liar(name: string, answer: (request: { offset: number; length?: number | undefined }) => Uint8Array[] | undefined): void {
  world.network.node(name).handle(CONTENT_PROTOCOL, (stream) => {
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
const asked = (node: string) => world.network.opened.filter(({ to }) => to === node).length;

describe('what comes in pieces', () => {
  test('comes from several members at once', async () => {
    const bytes = randomBytes(30 * PIECE + 17);
    await giver('a', bytes);
    await giver('b', bytes);
    await world.node('without');
    const asker = await world.node('asker');
    const told: { done: number; size: number; members: readonly string[] }[] = [];
    const path = await asker.fetchPieces(wanted(bytes, { prefer: [at('a')], onProgress: (one) => told.push(one) }));
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect([...(told.at(-1)?.members ?? [])].sort()).toEqual(['a', 'b']);
    expect(told.at(-1)).toMatchObject({ done: bytes.length, size: bytes.length });
    expect(told.map(({ done }) => done)).toEqual(told.map(({ done }) => done).sort((x, y) => x - y));
    expect(Math.min(asked('a'), asked('b'))).toBeGreaterThan(5);
    expect(asked('without')).toBe(1);
    const before = world.network.opened.length;
    await asker.fetchPieces(wanted(bytes));
    expect(world.network.opened).toHaveLength(before);
    expect(await readdir(join(world.directory, 'asker', 'partial'))).toEqual([]);
  });

  test('is fetched once, however many wait', async () => {
    const bytes = randomBytes(5 * PIECE);
    await giver('a', bytes);
    const asker = await world.node('asker');
    await Promise.all(Array.from({ length: 10 }, () => asker.fetchPieces(wanted(bytes))));
    expect(asked('a')).toBe(5);
  });

  test('is gone on with after a break and a restart: nothing comes twice', async () => {
    const bytes = randomBytes(20 * PIECE);
    await giver('a', bytes);
    const first = await world.node('asker');
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
    const again = await world.node('asker');
    const begun: number[] = [];
    const before = world.network.opened.length;
    const path = await again.fetchPieces(wanted(bytes, { onProgress: (one) => begun.push(one.done) }));
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(begun[0]).toBeGreaterThanOrEqual(8 * PIECE);
    expect(world.network.opened.length - before).toBeLessThanOrEqual(12);
  });

  test('of which a part on the disk was altered meanwhile is fetched anew in that part only', async () => {
    const bytes = randomBytes(4 * PIECE);
    const asker = await world.node('asker');
    const half = Buffer.concat([bytes.subarray(0, PIECE), randomBytes(PIECE), bytes.subarray(2 * PIECE, 3 * PIECE)]);
    await expect(asker.fetchPieces(wanted(bytes))).rejects.toMatchObject({ code: 'CONTENT_MISSING' });
    const [partial = ''] = await readdir(join(world.directory, 'asker', 'partial'));
    await writeFile(join(world.directory, 'asker', 'partial', partial), half);
    await asker.sweep();
    await giver('a', bytes);
    const path = await asker.fetchPieces(wanted(bytes));
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(asked('a')).toBe(2);
  });

  test('is missing at once if nobody who can be reached has it, and what has come is kept', async () => {
    const bytes = randomBytes(3 * PIECE);
    await world.node('without');
    const asker = await world.node('asker');
    await giver('a', bytes);
    world.network.cut('a', 'asker');
    const missing = asker.fetchPieces(wanted(bytes, { prefer: [at('a')] }));
    await expect(missing).rejects.toMatchObject({ code: 'CONTENT_MISSING', next: expect.stringContaining('when a is connected') });
    world.network.heal('a', 'asker');
    await asker.fetchPieces(wanted(bytes, { prefer: [at('a')] }));
  });

  test('goes on with another member when the one that gives goes away', async () => {
    const bytes = randomBytes(20 * PIECE);
    await giver('a', bytes);
    await giver('b', bytes);
    world.network.cut('b', 'asker');
    const asker = await world.node('asker');
    const path = await asker.fetchPieces(
      wanted(bytes, {
        onProgress: ({ done }) => {
          if (done !== 6 * PIECE) return;
          world.network.heal('b', 'asker');
          world.network.stop('a');
        },
      }),
    );
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(asked('b')).toBeGreaterThan(0);
  });

  test('survives any cuts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(25_000), { maxLength: 12 }), fc.integer({ min: 1, max: 6 * PIECE }), async (cuts, size) => {
        world.network = new FakeNetwork();
        world.time += 1;
        const bytes = randomBytes(size);
        await giver(`a${world.time}`, bytes);
        await giver(`b${world.time}`, bytes);
        const asker = await world.node(`c${world.time}`);
        const left = [...cuts];
        world.network.breaks = () => {
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
    const asker = await world.node('asker');
    const named: string[] = [];
    const path = await asker.fetchPieces(wanted(bytes, { prefer: [at('liar')], onAltered: ({ node }) => named.push(node) }));
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(named).toEqual(['liar']);
    expect(asked('liar')).toBe(1);
    // it is remembered for a while
    const last = await world.node('last');
    world.network.stop('good');
    await good.stop();
    const refused = { code: 'CONTENT_ALTERED', message: expect.stringContaining('altered at liar') };
    await expect(last.fetchPieces(wanted(bytes))).rejects.toMatchObject(refused);
    const before = asked('liar');
    await expect(last.fetchPieces(wanted(bytes))).rejects.toMatchObject(refused);
    expect(asked('liar')).toBe(before);
    world.time += DISTRUST_MS + 1;
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
    const asker = await world.node('asker');
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
    const asker = await world.node('asker', { takeOverMs: 30 });
    const path = await asker.fetchPieces(wanted(bytes, { prefer: [at('liar')] }));
    expect((await readFile(path)).equals(bytes)).toBe(true);
    await waitFor(() => world.network.openStreams === 0);
  });

  test('that give some of it and then nothing are taken over from, down to the last piece', async () => {
    const bytes = randomBytes(2 * PIECE);
    liar('slow', ({ offset, length = 0 }) =>
      offset === 0 ? [head(bytes.length), encodeFrame(bytes.subarray(offset, offset + length))] : undefined,
    );
    await giver('good', bytes);
    world.network.cut('good', 'asker');
    const asker = await world.node('asker', { takeOverMs: 30 });
    const path = await asker.fetchPieces(
      wanted(bytes, {
        prefer: [at('slow')],
        onProgress: ({ done }) => {
          if (done === PIECE) world.network.heal('good', 'asker');
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
    const asker = await world.node('asker');
    expect((await readFile(await asker.fetchPieces(wanted(bytes)))).equals(bytes)).toBe(true);
  });

  test('that tell wrong hashes of pieces do not put others in the wrong', async () => {
    const bytes = randomBytes(2 * PIECE);
    const other = randomBytes(2 * PIECE);
    liar('liar', ({ offset, length = 0 }) => [head(other.length), encodeFrame(other.subarray(offset, offset + length))]);
    await giver('good', bytes);
    const asker = await world.node('asker');
    const { digest } = wanted(bytes);
    const wrong = asker.fetchPieces(wanted(other, { digest, prefer: [at('good'), at('liar')] }));
    const right = asker.fetchPieces(wanted(bytes, { prefer: [at('good')] }));
    await expect(wrong).rejects.toMatchObject({ code: 'CONTENT_ALTERED', details: { toldWrong: true } });
    expect((await readFile(await right)).equals(bytes)).toBe(true);
    const again = await world.node('again');
    await expect(again.fetchPieces(wanted(other, { digest, prefer: [at('good')] }))).rejects.toMatchObject({ code: 'CONTENT_ALTERED' });
    expect((await readFile(await again.fetchPieces(wanted(bytes)))).equals(bytes)).toBe(true);
  });

  test('that publish wrong hashes of the whole are found out, and nothing is kept', async () => {
    const bytes = randomBytes(2 * PIECE);
    const other = randomBytes(2 * PIECE);
    const digest = sha256(other).toString('hex');
    liar('liar', ({ offset, length = 0 }) => [head(bytes.length), encodeFrame(bytes.subarray(offset, offset + length))]);
    const asker = await world.node('asker');
    await expect(asker.fetchPieces(wanted(bytes, { digest }))).rejects.toMatchObject({ code: 'CONTENT_ALTERED' });
    expect(await readdir(join(world.directory, 'asker', 'partial'))).toEqual([]);
    await expect(asker.fetchPieces(wanted(bytes, { signal: AbortSignal.abort() }))).rejects.toMatchObject({ code: 'TIMEOUT' });
    const small = await world.node('small', { capacity: 1_000 });
    await expect(small.fetchPieces(wanted(bytes))).rejects.toMatchObject({ code: 'DISK_FULL' });
  });
});

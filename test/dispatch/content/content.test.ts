import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KEEP_UNUSED_MS } from '../../../daemon/src/dispatch/content/limits.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';
import { CONTENT_PROTOCOL } from '../../../protocol/orders/messages.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { waitFor } from '../../wait.ts';
import { FakeNetwork } from '../fake-members.ts';
import { at, chunks, useContentWorld } from './content-world.ts';

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const soon = () => AbortSignal.timeout(60_000);
const FOREVER = Number.POSITIVE_INFINITY;

const world = useContentWorld();

describe('what was begun', () => {
  test('and not gone on with goes in time, also while the daemon runs', async () => {
    const content = await world.node('a');
    const path = join(world.directory, 'a', 'partial', 'ab'.repeat(32));
    await writeFile(path, 'half');
    world.time = Date.now();
    await content.sweep();
    expect(await readdir(join(world.directory, 'a', 'partial'))).toHaveLength(1);
    world.time = Date.now() + KEEP_UNUSED_MS + 60_000;
    await content.sweep();
    expect(await readdir(join(world.directory, 'a', 'partial'))).toEqual([]);
  });
});

describe('what is taken in', () => {
  test('stands under its digest, once', async () => {
    const content = await world.node('a');
    const bytes = randomBytes(100_000);
    expect(await content.take(chunks(bytes), { limit: 100_000 })).toEqual({ digest: digestOf(bytes), size: 100_000 });
    expect(await content.take(chunks(bytes, 7), { limit: 100_000 })).toEqual({ digest: digestOf(bytes), size: 100_000 });
    expect((await readFile((await content.path(digestOf(bytes))) ?? '')).equals(bytes)).toBe(true);
    expect(content.counts()).toEqual({ files: 1, bytes: 100_000 });
    expect(await readdir(join(world.directory, 'a', 'incoming'))).toEqual([]);
  });

  test('may be empty', async () => {
    const content = await world.node('a');
    const { digest } = await content.take(chunks(Buffer.alloc(0)), { limit: 10 });
    expect(await readFile((await content.path(digest)) ?? '')).toHaveLength(0);
  });

  test('is refused beyond the limit, beyond the share of the disk, and when its source breaks; nothing is left', async () => {
    const content = await world.node('a', { capacity: 50_000 });
    const bytes = randomBytes(60_000);
    await expect(content.take(chunks(bytes), { limit: 40_000 })).rejects.toMatchObject({ code: 'TOO_LARGE' });
    await expect(content.take(chunks(bytes), { limit: 100_000 })).rejects.toMatchObject({ code: 'DISK_FULL' });
    const broken = (async function* () {
      yield bytes.subarray(0, 100);
      throw new Error('the client has gone');
    })();
    await expect(content.take(broken, { limit: 100_000 })).rejects.toThrow('the client has gone');
    expect(await readdir(join(world.directory, 'a', 'incoming'))).toEqual([]);
    expect(content.counts()).toEqual({ files: 0, bytes: 0 });
    // What was refused takes no room.
    await content.take(chunks(bytes.subarray(0, 50_000)), { limit: 100_000 });
  });

  test('makes room by what is not needed, never by what is allowed to somebody or in use', async () => {
    const content = await world.node('a', { capacity: 100_000 });
    const [kept, old, next] = [randomBytes(40_000), randomBytes(40_000), randomBytes(40_000)];
    const { digest } = await content.take(chunks(kept), { limit: 100_000 });
    await content.allow(digest, 'members', FOREVER);
    await content.take(chunks(old), { limit: 100_000 });
    await expect(content.take(chunks(next), { limit: 100_000 })).rejects.toMatchObject({ code: 'DISK_FULL' });
    world.time += 3_600_000;
    await content.take(chunks(next), { limit: 100_000 });
    expect(await content.path(digest)).toBeDefined();
    expect(await content.path(digestOf(old))).toBeUndefined();
  });

  test('gives a user no more than what is left for all others, in one file or in many, and all of it back with what goes', async () => {
    const content = await world.node('a', { capacity: 4_000_000 });
    const refused = { code: 'DISK_FULL', message: expect.stringContaining('your uploads') };
    const limit = 8_000_000;
    const bytes = randomBytes(900_000);
    await expect(content.take(chunks(randomBytes(2_100_000)), { limit, user: 'eve' })).rejects.toMatchObject(refused);
    await content.take(chunks(bytes), { limit, user: 'eve' });
    // twice the same is once
    await content.take(chunks(bytes), { limit, user: 'eve' });
    await expect(content.take(chunks(randomBytes(1_500_000)), { limit, user: 'eve' })).rejects.toMatchObject(refused);
    await content.take(chunks(randomBytes(800_000)), { limit, user: 'bob' });
    await content.take(chunks(randomBytes(1_000_000)), { limit });
    world.time += KEEP_UNUSED_MS;
    await content.sweep();
    const small = async (): Promise<number> => {
      for (let files = 0; ; files += 1) {
        const full = await content.take(chunks(randomBytes(8)), { limit, user: 'eve' }).then(
          () => false,
          (error: unknown) => error,
        );
        if (full !== false) return files;
      }
    };
    expect(await small()).toBeLessThan(64);
    await content.take(chunks(bytes), { limit, user: 'bob' });
  });

  test('outlives a restart with what was allowed, and goes a day after nobody may fetch it', async () => {
    const rows = memoryKv();
    const first = await world.node('a', { rows });
    const [mine, module] = [randomBytes(100), randomBytes(200)];
    await first.take(chunks(mine), { limit: 1_000 });
    await first.take(chunks(module), { limit: 1_000 });
    await first.allow(digestOf(module), 'members', FOREVER);
    await first.stop();
    // Finished when the daemon died, and not written down; and begun only.
    const stray = randomBytes(300);
    const strayDigest = digestOf(stray);
    await mkdir(join(world.directory, 'a', strayDigest.slice(0, 2)), { recursive: true });
    await writeFile(join(world.directory, 'a', strayDigest.slice(0, 2), strayDigest.slice(2)), stray);
    await writeFile(join(world.directory, 'a', 'incoming', 'half'), 'x');
    const second = await world.node('a', { rows });
    expect(second.counts()).toEqual({ files: 3, bytes: 600 });
    expect(await readdir(join(world.directory, 'a', 'incoming'))).toEqual([]);
    world.time += KEEP_UNUSED_MS;
    await second.sweep();
    expect(second.counts()).toEqual({ files: 1, bytes: 200 });
    await second.allow(digestOf(module), 'members', 0);
    await second.sweep();
    expect(second.counts()).toEqual({ files: 0, bytes: 0 });
    expect((await rows.page({ gte: 'b/', lt: 'b0' })).length).toBe(0);
  });

  test('is not believed if its length has changed on the disk', async () => {
    const content = await world.node('a');
    const { digest } = await content.take(chunks(randomBytes(100)), { limit: 1_000 });
    await writeFile((await content.path(digest)) ?? '', 'short');
    expect(await content.path(digest)).toBeUndefined();
    expect(content.size(digest)).toBeUndefined();
  });
});

describe('what is fetched', () => {
  test('comes from whoever may give it, to whoever may have it', async () => {
    const [a, b, c] = [await world.node('a'), await world.node('b'), await world.node('c', { patienceMs: 0 })];
    const bytes = randomBytes(500_000);
    const { digest, size } = await a.take(chunks(bytes), { limit: size1MiB });
    await a.allow(digest, [at('b')], FOREVER);
    expect((await readFile(await b.fetch(digest, { size, from: at('a'), signal: soon() }))).equals(bytes)).toBe(true);
    await expect(c.fetch(digest, { size, from: at('a'), signal: soon() })).rejects.toMatchObject({ code: 'CONTENT_MISSING' });
    // b has it, but gives it to nobody: nobody said so.
    await a.allow(digest, 'members', FOREVER);
    expect((await readFile(await c.fetch(digest, { signal: soon() }))).equals(bytes)).toBe(true);
    // The second time nobody is asked.
    const before = world.network.opened.length;
    await c.fetch(digest, { signal: soon() });
    expect(world.network.opened.length).toBe(before);
  });

  test('is waited for no longer once it came by another way', async () => {
    const content = await world.node('b');
    world.network.node('a');
    world.network.stop('a');
    const bytes = randomBytes(5_000);
    const fetched = content.fetch(digestOf(bytes), { from: at('a'), signal: soon() });
    await content.take(chunks(bytes), { limit: 10_000 });
    expect(Buffer.compare(await readFile(await fetched), bytes)).toBe(0);
  });

  test('is asked for once by many at a time', async () => {
    const [a, b] = [await world.node('a'), await world.node('b')];
    const { digest } = await a.take(chunks(randomBytes(10_000)), { limit: size1MiB });
    await a.allow(digest, 'members', FOREVER);
    await Promise.all(Array.from({ length: 20 }, () => b.fetch(digest, { from: at('a'), signal: soon() })));
    expect(world.network.opened).toHaveLength(1);
  });

  test('is gone on with after a cut, where it stopped, also from another member and after a restart', async () => {
    const [a, b, c] = [await world.node('a'), await world.node('b'), await world.node('c')];
    const bytes = randomBytes(900_000);
    const { digest, size } = await a.take(chunks(bytes), { limit: size1MiB });
    await b.take(chunks(bytes), { limit: size1MiB });
    for (const content of [a, b]) await content.allow(digest, 'members', FOREVER);
    let sent = 0;
    world.network.breaks = () => {
      sent += 300_000;
      return { back: 300_000 };
    };
    const give = new AbortController();
    world.network.stop('b');
    const first = c.fetch(digest, { size, from: at('a'), signal: give.signal });
    await waitFor(() => sent >= 300_000);
    world.network.cut('a', 'c');
    give.abort();
    await expect(first).rejects.toMatchObject({ code: 'TIMEOUT' });
    await c.stop();
    world.network.start('b');
    await b.start();
    const again = await world.node('c');
    expect((await readFile(await again.fetch(digest, { size, from: at('a'), signal: soon() }))).equals(bytes)).toBe(true);
    expect(sent).toBeLessThan(2_000_000);
  });

  test('waits for a member that is away, as long as the signal allows', async () => {
    const [a, b] = [await world.node('a'), await world.node('b')];
    const { digest } = await a.take(chunks(randomBytes(1_000)), { limit: size1MiB });
    await a.allow(digest, 'members', FOREVER);
    world.network.cut('a', 'b');
    await expect(b.fetch(digest, { from: at('a'), signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'TIMEOUT' });
    const waiting = b.fetch(digest, { from: at('a'), signal: soon() });
    world.network.heal('a', 'b');
    await waiting;
  });

  test('is missing when nobody has it', async () => {
    await world.node('a');
    const b = await world.node('b');
    await expect(b.fetch('ab'.repeat(32), { signal: soon() })).rejects.toMatchObject({ code: 'CONTENT_MISSING' });
  });

  test('survives any cuts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(40_000), { maxLength: 6 }), fc.integer({ min: 0, max: 120_000 }), async (cuts, size) => {
        world.network = new FakeNetwork();
        const [a, b] = [await world.node(`a${world.time}`), await world.node(`b${world.time}`)];
        world.time += 1;
        const bytes = randomBytes(size);
        const { digest } = await a.take(chunks(bytes), { limit: size1MiB });
        await a.allow(digest, 'members', FOREVER);
        const left = [...cuts];
        world.network.breaks = () => {
          const back = left.shift();
          return back === undefined ? undefined : { back };
        };
        expect((await readFile(await b.fetch(digest, { signal: soon() }))).equals(bytes)).toBe(true);
      }),
      { numRuns: 15 },
    );
  });
});

const size1MiB = 1024 * 1024;

describe('hostile members', () => {
  /** A member that answers requests with these frames. */
  function liar(name: string, frames: (offset: number) => Uint8Array[]): void {
    world.network.node(name).handle(CONTENT_PROTOCOL, (stream) => {
      stream.resume();
      for (const frame of frames(0)) stream.write(frame);
      stream.end();
    });
  }
  const head = (size: number) => encodeFrame(encodeCbor({ size }));

  test('altered content is thrown away, and the next member is asked', async () => {
    const bytes = randomBytes(200_000);
    const good = await world.node('good');
    const { digest, size } = await good.take(chunks(bytes), { limit: size1MiB });
    await good.allow(digest, 'members', FOREVER);
    const wrong = Buffer.from(bytes);
    wrong[100_000] = (wrong[100_000] ?? 0) ^ 1;
    liar('liar', () => [head(size), ...[0, 1, 2, 3].map((part) => encodeFrame(wrong.subarray(part * 50_000, part * 50_000 + 50_000)))]);
    const asker = await world.node('asker');
    expect((await readFile(await asker.fetch(digest, { size, from: at('liar'), signal: soon() }))).equals(bytes)).toBe(true);
  });

  test('content of which parts come from a liar is found out', async () => {
    const bytes = randomBytes(100_000);
    const good = await world.node('good');
    const { digest, size } = await good.take(chunks(bytes), { limit: size1MiB });
    await good.allow(digest, 'members', FOREVER);
    // It gives half, wrongly, and ends.
    liar('liar', () => [head(size), encodeFrame(randomBytes(50_000))]);
    const asker = await world.node('asker');
    expect((await readFile(await asker.fetch(digest, { size, from: at('liar'), signal: soon() }))).equals(bytes)).toBe(true);
  });

  test('only altered content to be had is said so', async () => {
    liar('liar', () => [head(3), encodeFrame(Buffer.from('abd'))]);
    const asker = await world.node('asker', { patienceMs: 0 });
    const digest = digestOf(Buffer.from('abc'));
    await expect(asker.fetch(digest, { size: 3, signal: soon() })).rejects.toMatchObject({ code: 'CONTENT_ALTERED' });
    expect(await readdir(join(world.directory, 'asker', 'partial'))).toEqual([]);
  });

  test.each<[string, Uint8Array[]]>([
    ['more than it said', [head(3), encodeFrame(Buffer.from('abcabc'))]],
    ['another size', [head(4_000_000_000)]],
    ['a huge frame', [head(3), Buffer.from([0xff, 0xff, 0xff, 0xff])]],
    ['no head', [encodeFrame(Buffer.from('hello'))]],
    ['nothing', []],
  ])('a member that sends %s brings nothing down', async (_what, frames) => {
    const good = await world.node('good');
    const { digest } = await good.take(chunks(Buffer.from('abc')), { limit: 10 });
    await good.allow(digest, 'members', FOREVER);
    liar('liar', () => frames);
    const asker = await world.node('asker');
    expect(String(await readFile(await asker.fetch(digest, { size: 3, from: at('liar'), signal: soon() })))).toBe('abc');
  });

  test.each<[string, Uint8Array]>([
    ['no CBOR', encodeFrame(Buffer.from('hello'))],
    ['a path', encodeFrame(encodeCbor({ digest: '../../etc/passwd', offset: 0 }))],
    ['a negative offset', encodeFrame(encodeCbor({ digest: 'ab'.repeat(32), offset: -1 }))],
    ['a huge frame', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
  ])('a request that is %s is cut off', async (_what, request) => {
    await world.node('a');
    const stream = await world.network.node('b').open(at('a'), CONTENT_PROTOCOL, soon());
    stream.end(request);
    stream.resume();
    await waitFor(() => stream.destroyed);
  });

  test('members that take nothing wait for their own turns only', async () => {
    const a = await world.node('a');
    const bytes = randomBytes(600_000);
    const { digest, size } = await a.take(chunks(bytes), { limit: size1MiB });
    await a.allow(digest, 'members', FOREVER);
    const greedy = world.network.node('greedy');
    const streams = await Promise.all(Array.from({ length: 40 }, () => greedy.open(at('a'), CONTENT_PROTOCOL, soon())));
    for (const stream of streams) stream.write(encodeFrame(encodeCbor({ digest, offset: 0 })));
    await waitFor(() => streams.filter((stream) => stream.destroyed).length >= 20);
    const honest = await world.node('honest');
    expect((await readFile(await honest.fetch(digest, { size, signal: soon() }))).equals(bytes)).toBe(true);
    for (const stream of streams) stream.destroy();
  });
});

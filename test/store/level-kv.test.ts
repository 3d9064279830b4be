import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Level } from 'level';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { droppedBytes } from '../../daemon/src/store/level-files.ts';
import { openLevel } from '../../daemon/src/store/level-kv.ts';
import { storageError } from '../../daemon/src/store/storage-error.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-level-'));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true, force: true });
});

const put = (key: string, value: string) => ({ type: 'put' as const, key, value: Buffer.from(value) });

it('keeps what it acknowledged over a restart', async () => {
  const first = await openLevel(directory);
  await first.batch([put('t/a', 'kept')], { sync: true });
  await first.close();
  const second = await openLevel(directory);
  expect(Buffer.from((await second.get('t/a')) ?? []).toString()).toBe('kept');
  await second.close();
});

it('refuses a directory that is in use', async () => {
  const first = await openLevel(directory);
  await expect(openLevel(directory)).rejects.toMatchObject({ code: 'DATA_LOCKED' });
  await first.close();
  await (await openLevel(directory)).close();
});

it('refuses data of a newer format and says which', async () => {
  const db = new Level<string, string>(directory);
  await db.put('m/format', '3');
  await db.close();
  await expect(openLevel(directory)).rejects.toMatchObject({ code: 'FORMAT_TOO_NEW', message: expect.stringContaining('format 3') });
});

it('refuses a database that is not its own', async () => {
  const db = new Level<string, string>(directory);
  await db.put('m/format', 'something');
  await db.close();
  await expect(openLevel(directory)).rejects.toMatchObject({ code: 'INTERNAL' });
});

it('refuses a directory that cannot be made', async () => {
  const file = join(directory, 'file');
  await writeFile(file, '');
  await expect(openLevel(join(file, 'db'))).rejects.toMatchObject({ code: 'DATA_UNWRITABLE' });
  await expect(openLevel(file)).rejects.toMatchObject({ code: 'DATA_UNWRITABLE' });
});

it('leaves no trace of a batch that failed, and opens the database again before the next', async () => {
  const kv = await openLevel(directory);
  await kv.batch([put('t/a', 'old'), put('t/b', 'old')], { sync: true });
  const open = vi.spyOn(Level.prototype, 'open');
  const prototype: { batch(ops: unknown[], options: object): Promise<void> } = Level.prototype;
  const batch = vi.spyOn(prototype, 'batch').mockImplementationOnce(async () => {
    throw Object.assign(new Error('IO error: 000003.log: No space left on device'), { code: 'LEVEL_IO_ERROR' });
  });
  await expect(kv.batch([put('t/a', 'new'), { type: 'del', key: 't/b' }, put('t/c', 'new')], { sync: true })).rejects.toMatchObject({
    code: 'DISK_FULL',
  });
  expect(Buffer.from((await kv.get('t/a')) ?? []).toString()).toBe('old');
  await kv.batch([put('t/d', 'later')], { sync: true });
  expect(open).toHaveBeenCalledOnce();
  expect(batch.mock.calls[1]?.[0], 'what undoes the failed batch comes first').toEqual([
    put('t/a', 'old'),
    put('t/b', 'old'),
    { type: 'del', key: 't/c' },
  ]);
  const rows = await kv.page({ gte: 't/', lt: 't0' });
  expect(rows.map(([key, value]) => [key, Buffer.from(value).toString()])).toEqual([
    ['t/a', 'old'],
    ['t/b', 'old'],
    ['t/d', 'later'],
  ]);
  await kv.close();
});

it('shows nobody a batch that failed and yet reached the disk, while it is being undone, nor while it cannot be', async () => {
  const kv = await openLevel(directory);
  await kv.batch([put('t/a', 'old')], { sync: true });
  const prototype: { batch(ops: unknown[], options: object): Promise<void>; open(): Promise<void> } = Level.prototype;
  const { batch, open } = prototype;
  const full = (): Error => Object.assign(new Error('IO error: 000003.log: No space left on device'), { code: 'LEVEL_IO_ERROR' });
  const failed = [put('t/a', 'new'), put('t/b', 'new')];
  const seen: (string | undefined)[] = [];
  const read = (key: string) => {
    const text = kv.get(key).then(
      (value) => value && Buffer.from(value).toString(),
      () => 'refused',
    );
    void text.then((value) => seen.push(value));
    return text;
  };
  // the log of the database has it when that is opened again
  vi.spyOn(prototype, 'open').mockImplementation(async function (this: Level) {
    await open.call(this);
    await batch.call(this, failed, { sync: true });
  });
  const reads: Promise<unknown>[] = [];
  const undoing = vi.spyOn(prototype, 'batch').mockRejectedValueOnce(full());
  await expect(kv.batch(failed, { sync: true })).rejects.toMatchObject({ code: 'DISK_FULL' });
  undoing.mockImplementationOnce(async () => {
    reads.push(read('t/a'), read('t/b'));
    await vi.waitUntil(() => seen.length === 2, { timeout: 200 }).catch(() => {});
    throw full();
  });
  await expect(kv.batch([put('t/c', 'later')], { sync: true })).rejects.toMatchObject({ code: 'DISK_FULL' });
  await Promise.all(reads);
  expect(seen).toEqual(['refused', 'refused']);
  expect(() => kv.snapshot()).toThrow('opened again');
  expect(await Promise.all([read('t/a'), read('t/b')])).toEqual(['old', undefined]);
  await kv.batch([put('t/c', 'later')], { sync: true });
  const rows = await kv.page({ gte: 't/', lt: 't0' });
  expect(rows.map(([key, value]) => [key, Buffer.from(value).toString()])).toEqual([
    ['t/a', 'old'],
    ['t/c', 'later'],
  ]);
  await kv.close();
});

it('goes on reading where there is room to open the database again, but not to undo a large batch', async () => {
  let room = 8 * 1024 * 1024;
  const kv = await openLevel(directory, async (bytes) => {
    if (bytes > room) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  });
  const old = 'x'.repeat(3 * 1024 * 1024);
  await kv.batch([put('t/a', old)], { sync: true });
  const open = vi.spyOn(Level.prototype, 'open');
  const prototype: { batch(ops: unknown[], options: object): Promise<void> } = Level.prototype;
  vi.spyOn(prototype, 'batch').mockRejectedValueOnce(Object.assign(new Error('No space left on device'), { code: 'LEVEL_IO_ERROR' }));
  await expect(kv.batch([put('t/a', 'new')], { sync: true })).rejects.toMatchObject({ code: 'DISK_FULL' });
  await expect(kv.batch([put('t/b', 'later')], { sync: true })).rejects.toMatchObject({ code: 'DISK_FULL' });
  expect(open).not.toHaveBeenCalled();
  expect((await kv.get('t/a'))?.length).toBe(old.length);
  room = 16 * 1024 * 1024;
  await kv.batch([put('t/b', 'later')], { sync: true });
  expect((await kv.page({ gte: 't/', lt: 't0' })).map(([, value]) => value.length)).toEqual([old.length, 'later'.length]);
  await kv.close();
});

it('reads to the end although the database is opened again meanwhile', async () => {
  const kv = await openLevel(directory);
  const keys = Array.from({ length: 300 }, (_, at) => `t/${String(at).padStart(3, '0')}`);
  await kv.batch(
    keys.map((key) => put(key, 'value')),
    { sync: true },
  );
  const prototype: { batch(ops: unknown[], options: object): Promise<void> } = Level.prototype;
  const fail = async (): Promise<void> => {
    vi.spyOn(prototype, 'batch').mockRejectedValueOnce(Object.assign(new Error('No space left on device'), { code: 'LEVEL_IO_ERROR' }));
    await expect(kv.batch([put('u/a', 'refused')], { sync: true })).rejects.toMatchObject({ code: 'DISK_FULL' });
  };
  const { iterator } = Level.prototype;
  let interrupt = true;
  vi.spyOn(Level.prototype, 'iterator').mockImplementation(function (this: Level<string, string>, ...args) {
    const made = iterator.apply(this, args);
    const { nextv } = made;
    made.nextv = async (size: number) => {
      if (interrupt) {
        interrupt = false;
        await kv.batch([put('u/b', 'later')], { sync: true });
      }
      return nextv.call(made, size);
    };
    return made;
  });
  await fail();
  expect((await kv.page({ gte: 't/', lt: 't0' })).map(([key]) => key)).toEqual(keys);
  await fail();
  const snapshot = kv.snapshot();
  interrupt = true;
  await expect(snapshot.page({ gte: 't/', lt: 't0' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await snapshot.close();
  await kv.close();
});

it('refuses a database without its CURRENT, and takes nothing of it away', async () => {
  const kv = await openLevel(directory);
  await kv.batch([put('t/a', 'kept')], { sync: true });
  await kv.close();
  await rename(join(directory, 'CURRENT'), join(directory, 'CURRENT.away'));
  await expect(openLevel(directory)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
  await rename(join(directory, 'CURRENT.away'), join(directory, 'CURRENT'));
  const again = await openLevel(directory);
  expect(await again.get('t/a')).toBeDefined();
  await again.close();
});

it('makes anew a database of which only the first file was ever written', async () => {
  await writeFile(join(directory, 'MANIFEST-000001'), '');
  await (await openLevel(directory)).close();
});

it('tells how much at the end of the log could not be read, once', async () => {
  const kv = await openLevel(directory);
  for (const key of ['t/a', 't/b', 't/c']) await kv.batch([put(key, 'x'.repeat(2_000))], { sync: true });
  await kv.close();
  expect(await droppedBytes(directory)).toBe(0);
  const log = join(directory, (await readdir(directory)).find((name) => /^\d+\.log$/.test(name)) ?? '');
  const bytes = await readFile(log);
  bytes.fill(0x55, bytes.length - 3_000, bytes.length - 2_900);
  await writeFile(log, bytes);
  for (const dropped of [expect.any(Number), 0]) {
    await (await openLevel(directory)).close();
    expect(await droppedBytes(directory)).toEqual(dropped);
    if (dropped !== 0) expect(await droppedBytes(directory)).toBeGreaterThan(2_000);
  }
});

it('tells a full disk and a forbidden one apart', () => {
  const failure = (message: string) => Object.assign(new Error(message), { code: 'LEVEL_IO_ERROR' });
  expect(storageError(failure('IO error: x: No space left on device'), '/d').code).toBe('DISK_FULL');
  expect(storageError(failure('IO error: x: Permission denied'), '/d').code).toBe('DATA_UNWRITABLE');
  expect(storageError(failure('Corruption: bad block'), '/d')).toMatchObject({
    code: 'DATA_CORRUPT',
    exitStatus: 16,
    next: expect.stringContaining('dtkd domain join ADDR TOKEN --replace NAME'),
  });
  expect(storageError(failure('IO error: /d/000005.ldb: Invalid argument'), '/d').code).toBe('DATA_CORRUPT');
  expect(storageError(failure('IO error: /d/MANIFEST-000004: No such file or directory'), '/d').code).toBe('DATA_CORRUPT');
  expect(storageError(failure('IO error: /d/LOCK: Too many open files'), '/d').code).toBe('UNAVAILABLE');
  expect(storageError(new Error('odd'), '/d').code).toBe('INTERNAL');
});

it('brings a page over in trips of a bounded size, since the last one stays in memory for as long as its iterator does', async () => {
  const kv = await openLevel(directory);
  const keys = Array.from({ length: 1_000 }, (_, at) => `t/${String(at).padStart(4, '0')}`);
  await kv.batch(
    keys.map((key) => put(key, `${key} ${'.'.repeat(4_000)}`)),
    { sync: false },
  );
  const trips: number[] = [];
  const { iterator } = Level.prototype;
  vi.spyOn(Level.prototype, 'iterator').mockImplementation(function (this: Level<string, string>, ...args) {
    const made = iterator.apply(this, args);
    const { nextv } = made;
    vi.spyOn(made, 'nextv').mockImplementation(async (size) => {
      const rows = await nextv.call(made, size);
      trips.push(rows.reduce((sum, [, value]) => sum + (value as Uint8Array).length, 0));
      return rows;
    });
    return made;
  });
  const rows = await kv.page({ gte: 't/', lt: 't/~', limit: 700 });
  expect(rows.map(([key]) => key)).toEqual(keys.slice(0, 700));
  expect(rows.every(([key, value]) => Buffer.from(value).toString().startsWith(`${key} `))).toBe(true);
  expect(trips.length).toBeGreaterThan(1);
  expect(Math.max(...trips)).toBeLessThan(256 * 1024);
  await kv.close();
});

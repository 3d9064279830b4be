import { expect, it } from 'vitest';
import { RowCache } from '../../daemon/src/store/row-cache.ts';
import { memoryKv } from './memory-kv.ts';

const put = (key: string, text: string) => ({ type: 'put' as const, key, value: Buffer.from(text) });

it('reads the database once, and shows a batch when it is told of it', async () => {
  const kv = memoryKv();
  await kv.batch([put('o/a', '1')], { sync: true });
  let reads = 0;
  const rows = new RowCache(
    {
      ...kv,
      get(key) {
        reads += 1;
        return kv.get(key);
      },
    },
    'o/',
  );
  const read = async (key: string) => Buffer.from((await rows.get(key)) ?? []).toString();
  expect([await read('o/a'), await read('o/a'), reads]).toEqual(['1', '1', 1]);
  const ops = [put('o/a', '2')];
  await kv.batch(ops, { sync: true });
  expect(await read('o/a')).toBe('1');
  rows.committed(ops);
  expect(await read('o/a')).toBe('2');
  const deletion = [{ type: 'del' as const, key: 'o/a' }];
  await kv.batch(deletion, { sync: true });
  rows.committed(deletion);
  expect(await rows.get('o/a')).toBeUndefined();
});

it('does not keep a row that was read before a batch and arrives after it', async () => {
  const kv = memoryKv();
  const old = Buffer.from('old');
  const gate = Promise.withResolvers<void>();
  const rows = new RowCache({ ...kv, get: () => gate.promise.then(() => old) }, 'o/');
  const reading = rows.get('o/a');
  rows.committed([put('o/a', 'new')]);
  gate.resolve();
  await reading;
  expect(Buffer.from((await rows.get('o/a')) ?? []).toString()).toBe('new');
});

it('remembers what is not there, until a batch puts it there', async () => {
  const kv = memoryKv();
  let reads = 0;
  const rows = new RowCache(
    {
      ...kv,
      get(key) {
        reads += 1;
        return kv.get(key);
      },
    },
    'o/',
  );
  expect([await rows.get('o/a'), await rows.get('o/a'), reads]).toEqual([undefined, undefined, 1]);
  rows.committed([put('o/a', '1')]);
  expect(Buffer.from((await rows.get('o/a')) ?? []).toString()).toBe('1');
});

it('is bounded, forgets what was used longest ago, and keeps nothing that others write', async () => {
  const reads: string[] = [];
  const rows = new RowCache(
    {
      ...memoryKv(),
      async get(key) {
        reads.push(key);
        return Buffer.alloc(40);
      },
    },
    'o/',
    100,
  );
  for (const key of ['o/a', 'o/b', 'o/a', 'o/c', 'o/a', 'o/b', 't/x', 't/x']) await rows.get(key);
  expect(reads).toEqual(['o/a', 'o/b', 'o/c', 'o/b', 't/x', 't/x']);
});

it('asks once for those who ask together, and keeps what comes whatever else a batch has written meanwhile', async () => {
  const gate = Promise.withResolvers<void>();
  let reads = 0;
  const rows = new RowCache(
    {
      ...memoryKv(),
      async get() {
        reads += 1;
        await gate.promise;
        return Buffer.from('1');
      },
    },
    'o/',
  );
  const together = [rows.get('o/a'), rows.get('o/a')];
  rows.committed([put('o/b', '2')]);
  gate.resolve();
  await Promise.all(together);
  expect([reads, rows.known('o/a')?.row]).toEqual([1, Buffer.from('1')]);
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Kv, type KvOp, prefixEnd } from '../../daemon/src/store/kv.ts';
import { openLevel } from '../../daemon/src/store/level-kv.ts';
import { memoryKv } from './memory-kv.ts';

const bytes = (text: string) => Buffer.from(text);
const texts = (rows: [string, Uint8Array][]) => rows.map(([key, value]) => [key, Buffer.from(value).toString()]);
const put = (key: string, value = key): KvOp => ({ type: 'put', key, value: bytes(value) });

const implementations = [
  { name: 'memory', open: async () => ({ kv: memoryKv(), clean: async () => {} }) },
  {
    name: 'LevelDB',
    open: async () => {
      const directory = await mkdtemp(join(tmpdir(), 'dtkd-kv-'));
      return { kv: await openLevel(directory), clean: () => rm(directory, { recursive: true, force: true }) };
    },
  },
];

describe.each(implementations)('the key-value port over $name', ({ open }) => {
  let kv: Kv;
  let clean: () => Promise<void>;

  beforeEach(async () => {
    ({ kv, clean } = await open());
  });

  afterEach(async () => {
    await kv.close();
    await clean();
  });

  it('gives back what was put, and nothing for what was not', async () => {
    await kv.batch([put('t/a', 'one')], { sync: true });
    expect(Buffer.from((await kv.get('t/a')) ?? []).toString()).toBe('one');
    expect(await kv.get('t/b')).toBeUndefined();
  });

  it('applies the operations of a batch in order, clears first', async () => {
    await kv.batch([put('t/a'), put('t/b'), put('t/c')], { sync: false });
    await kv.batch([put('t/b', 'new'), { type: 'clear', gte: 't/', lt: 't0' }, put('t/d'), { type: 'del', key: 't/d' }], { sync: true });
    expect(texts(await kv.page({ gte: 't/', lt: 't0' }))).toEqual([['t/b', 'new']]);
  });

  it('clears more keys than fit into one page', async () => {
    await kv.batch(
      Array.from({ length: 2500 }, (_, index) => put(`t/${index}`)),
      { sync: false },
    );
    await kv.batch([{ type: 'clear', gte: 't/', lt: prefixEnd('t/') }], { sync: false });
    expect(await kv.page({ gte: 't/', lt: prefixEnd('t/') })).toEqual([]);
  });

  it('pages in key order, forwards and in reverse, with a limit', async () => {
    await kv.batch(
      ['c', 'a', 'd', 'b'].map((key) => put(`t/${key}`)),
      { sync: false },
    );
    const keys = async (range: object) => (await kv.page({ gte: 't/', lt: 't0', ...range })).map(([key]) => key);
    expect(await keys({})).toEqual(['t/a', 't/b', 't/c', 't/d']);
    expect(await keys({ limit: 2 })).toEqual(['t/a', 't/b']);
    expect(await keys({ limit: 2, reverse: true })).toEqual(['t/d', 't/c']);
    expect(await keys({ gte: 't/b', lt: 't/d' })).toEqual(['t/b', 't/c']);
    expect(await keys({ limit: 0 })).toEqual([]);
  });

  it('orders keys by their UTF-8 bytes', async () => {
    const keys = ['t/ﬀ', 't/😀', 't/z', 't/é', 't/!', 't/-', 't/.', 't/~'];
    await kv.batch(
      keys.map((key) => put(key)),
      { sync: false },
    );
    const inOrder = [...keys].sort((a, b) => Buffer.compare(bytes(a), bytes(b)));
    expect((await kv.page({ gte: 't/', lt: 't0' })).map(([key]) => key)).toEqual(inOrder);
  });

  it('shows in a snapshot the state in which it was taken', async () => {
    await kv.batch([put('t/a')], { sync: false });
    const snapshot = kv.snapshot();
    await kv.batch([put('t/b'), { type: 'del', key: 't/a' }], { sync: false });
    expect(texts(await snapshot.page({ gte: 't/', lt: 't0' }))).toEqual([['t/a', 't/a']]);
    await snapshot.close();
    expect(texts(await kv.page({ gte: 't/', lt: 't0' }))).toEqual([['t/b', 't/b']]);
  });

  it('says that it is closed', async () => {
    await kv.close();
    await kv.close();
    await expect(kv.get('t/a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(kv.batch([put('t/a')], { sync: true })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('equals a sorted map under any batches', async () => {
    const key = fc.stringMatching(/^t\/[a-c]{0,3}$/);
    const op: fc.Arbitrary<KvOp> = fc.oneof(
      fc.record({ type: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 4 }) }),
      fc.record({ type: fc.constant('del' as const), key }),
      fc.record({ type: fc.constant('clear' as const), gte: key, lt: key }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(op, { maxLength: 6 }), { maxLength: 6 }), async (batches) => {
        await kv.batch([{ type: 'clear', gte: 't/', lt: 't0' }], { sync: false });
        const model = new Map<string, string>();
        for (const batch of batches) {
          await kv.batch(batch, { sync: false });
          for (const step of batch) {
            if (step.type === 'clear') for (const known of [...model.keys()]) if (known >= step.gte && known < step.lt) model.delete(known);
          }
          for (const step of batch) {
            if (step.type === 'put') model.set(step.key, Buffer.from(step.value).toString('hex'));
            else if (step.type === 'del') model.delete(step.key);
          }
        }
        const rows = (await kv.page({ gte: 't/', lt: 't0' })).map(([k, value]) => [k, Buffer.from(value).toString('hex')]);
        expect(rows).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)));
      }),
      { numRuns: 40 },
    );
  });
});

import { describe, expect, it } from 'vitest';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import { rebase } from '../../daemon/src/store/rebase.ts';
import { memoryKv } from './memory-kv.ts';

const model = (name: string) => ({
  apiVersion: 'dtkd.dev/v1',
  kind: 'Model',
  metadata: { namespace: 'a', name, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
});

describe('a store over a database that was put back', () => {
  it('gives out versions above all that were given out, and takes none of those for its own', async () => {
    const kv = memoryKv();
    const before = await openObjectStore({ kv: { ...unclosed(kv) }, node: 'a' });
    const object = await before.transact((tx) => tx.put(model('x')));
    const version = object.metadata.resourceVersion;
    await rebase(kv);
    const after = await openObjectStore({ kv, node: 'a' });
    const list = await after.list({ group: 'dtkd.dev', plural: 'models' });
    expect(list.items.map(({ metadata }) => [metadata.name, metadata.resourceVersion])).toEqual([['x', version]]);
    expect(Number(list.resourceVersion)).toBeGreaterThan(Number(version) + 2 ** 20);
    expect(() =>
      after.watch({ group: 'dtkd.dev', plural: 'models', resourceVersion: version, signal: new AbortController().signal }),
    ).toThrow(/no longer/);
    const next = await after.transact((tx) => tx.put(model('y')));
    expect(Number(next.metadata.resourceVersion)).toBeGreaterThan(Number(list.resourceVersion));
    expect(Number.isSafeInteger(Number(next.metadata.resourceVersion))).toBe(true);
    await after.close();
  });

  it('does not go on with the numbers of another one that was put back from the same copy', async () => {
    const bases = await Promise.all(
      [1, 2].map(async () => {
        const kv = memoryKv();
        await kv.batch([{ type: 'put', key: 'm/base', value: Buffer.from('1024') }], { sync: true });
        await rebase(kv);
        return Buffer.from((await kv.get('m/base')) ?? []).toString();
      }),
    );
    expect(new Set(bases).size).toBe(2);
  });
});

function unclosed(kv: ReturnType<typeof memoryKv>): ReturnType<typeof memoryKv> {
  return {
    get: kv.get.bind(kv),
    page: kv.page.bind(kv),
    batch: kv.batch.bind(kv),
    snapshot: kv.snapshot.bind(kv),
    close: async () => undefined,
  };
}

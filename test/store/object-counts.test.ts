import { describe, expect, it } from 'vitest';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { memoryKv } from './memory-kv.ts';

const service = (name: string): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'node0', uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
});
const ref = (name: string) => ({ group: '', plural: 'services', namespace: 'node0', name });

describe('figures of the store', () => {
  it('count objects by kind, also while they change', async () => {
    const store = await openObjectStore({ kv: memoryKv(), node: 'node0' });
    const put = (name: string) => store.transact((tx) => tx.put(service(name)));
    const services = async () => (await store.figures()).objects.get('/services') ?? 0;
    expect(await services()).toBe(0);
    await Promise.all(['a', 'b', 'c'].map(put));
    expect(await services()).toBe(3);
    await store.transact((tx) => tx.put({ ...service('a'), spec: {} }));
    await store.transact((tx) => tx.delete(ref('b')));
    expect(await services()).toBe(2);
    const { commits, changeLog, durations, waiting } = await store.figures();
    expect(commits).toEqual({ batches: 3, transactions: 5, failed: 0 });
    expect(changeLog.entries).toBe(5);
    expect(durations.count).toBe(3);
    expect(waiting).toBe(0);
    await store.close();
  });

  it('count what was there before, and what comes while they count', async () => {
    const kv = memoryKv();
    const first = await openObjectStore({ kv, node: 'node0' });
    for (let at = 0; at < 20; at += 1) await first.transact((tx) => tx.put(service(`s${at}`)));
    const counting = first.figures();
    const writing = Promise.all([...Array(10).keys()].map((at) => first.transact((tx) => tx.put(service(`t${at}`)))));
    await Promise.all([counting, writing]);
    expect((await first.figures()).objects.get('/services')).toBe(30);
    await first.close();
  });
});

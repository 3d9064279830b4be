import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepNamespaces } from '../../../daemon/src/mesh/controllers/namespaces.ts';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { memoryKv } from '../../store/memory-kv.ts';

let store: LocalStore;
beforeEach(async () => {
  store = await openObjectStore({ kv: memoryKv(), node: 'node0' });
});
afterEach(() => store.close());

async function names(): Promise<string[]> {
  return (await store.list({ group: '', plural: 'namespaces' })).items.map((item) => item.metadata.name);
}

describe('namespaces', () => {
  it('follow the members, and nothing is written while they stay', async () => {
    await keepNamespaces(store, new Set(['node0', 'node1']));
    expect(await names()).toEqual(['node0', 'node1']);
    const version = store.version();
    await keepNamespaces(store, new Set(['node1', 'node0']));
    expect(store.version()).toBe(version);
    await keepNamespaces(store, new Set(['node0', 'node2']));
    expect(await names()).toEqual(['node0', 'node2']);
    expect(await store.originOf({ group: '', plural: 'namespaces', namespace: '', name: 'node2' })).toBe('projection');
  });
});

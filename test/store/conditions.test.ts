import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocalStore } from '../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import { conditionsOf } from '../../protocol/objects/conditions.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { memoryKv } from './memory-kv.ts';

const START = Date.parse('2026-11-22T10:00:00Z');
let now = START;
let store: LocalStore;

beforeEach(async () => {
  now = START;
  store = await openObjectStore({ kv: memoryKv(), node: 'node0', now: () => now });
});
afterEach(() => store.close());

const instance = (phase: string, metadata: object = {}): ApiObject => ({
  apiVersion: 'dtkd.dev/v1',
  kind: 'ServiceInstance',
  metadata: { name: 'shop', namespace: 'node0', uid: '', resourceVersion: '', generation: 1, creationTimestamp: '', ...metadata },
  spec: { module: 'acme/web', version: '1.0.0', assembly: 'web', directory: '/x' },
  status: { phase },
});
const put = (object: ApiObject) => store.transact((tx) => tx.put(object));

describe('conditions of stored objects', () => {
  it('are said with each write, whoever writes, and stay as long as nothing changes', async () => {
    const staged = await put(instance('Staged'));
    const first = { message: '', lastTransitionTime: '2026-11-22T10:00:00Z', observedGeneration: 1 };
    expect(conditionsOf(staged['status'])).toEqual([
      { type: 'Ready', status: 'False', reason: 'Staged', ...first },
      { type: 'DriftFound', status: 'False', reason: 'NoneFound', ...first },
    ]);
    now += 5_000;
    expect((await put(instance('Staged', staged.metadata))).metadata.resourceVersion, 'no change').toBe(staged.metadata.resourceVersion);
    const converging = await put(instance('Converging', { ...staged.metadata, generation: 2 }));
    expect(conditionsOf(converging['status'])).toMatchObject([
      { reason: 'Converging', lastTransitionTime: '2026-11-22T10:00:00Z' },
      { reason: 'NoneFound' },
    ]);
    const ready = await put(instance('Ready', { ...staged.metadata, generation: 3 }));
    expect(ready['status']).toMatchObject({
      phase: 'Ready',
      observedGeneration: 3,
      conditions: [{ lastTransitionTime: '2026-11-22T10:00:05Z' }, { lastTransitionTime: '2026-11-22T10:00:00Z' }],
    });
    expect(await store.get({ group: 'dtkd.dev', plural: 'serviceinstances', namespace: 'node0', name: 'shop' })).toEqual(ready);
  });

  it("of another node's object stay as its owner said them", async () => {
    const replica: ApiObject = {
      apiVersion: 'dtkd.dev/v1',
      kind: 'Node',
      metadata: { name: 'node1', uid: 'u', resourceVersion: '7', generation: 1, creationTimestamp: '2026-11-22T09:00:00Z' },
      status: { facts: {} },
    };
    expect(await store.transact((tx) => tx.put(replica, { origin: 'replica' }))).toEqual(replica);
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPolicy, policyRef, writePins } from '../../../daemon/src/dispatch/policy/policy.ts';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { memoryKv } from '../../store/memory-kv.ts';

const NODE = 'node1';
const BUILDER = 'b'.repeat(64);
const OTHER = 'c'.repeat(64);
const DIGEST = '1'.repeat(64);

function policyObject(spec: object, name = 'node'): ApiObject {
  return {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Policy',
    metadata: { name, namespace: NODE, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
    spec,
  };
}

describe('the policy of a node', () => {
  let store: LocalStore;
  let policy: ReturnType<typeof createPolicy>;
  const keys = new Map([['builder', BUILDER]]);

  beforeEach(async () => {
    store = await openObjectStore({ kv: memoryKv(), node: NODE });
    policy = createPolicy({ store, node: { name: NODE }, signingKeyOf: async (node) => keys.get(node) });
  });
  afterEach(async () => {
    policy.stop();
    await store.close();
  });

  it('gets the signing keys of the nodes that it names', async () => {
    const written = await policy.handler.create(policyObject({ trust: [{ node: 'builder', follow: true }] }));
    expect(written['spec']).toEqual({ trust: [{ node: 'builder', follow: true, key: BUILDER }] });
  });

  it('keeps a key that it had when the node is not known any more or has another', async () => {
    const before = policyObject({ trust: [{ node: 'gone', key: OTHER }] });
    const written = await policy.handler.update(policyObject({ trust: [{ node: 'gone' }, { node: 'builder' }] }), before);
    expect(written['spec']).toMatchObject({
      trust: [
        { node: 'gone', key: OTHER },
        { node: 'builder', key: BUILDER },
      ],
    });
  });

  it.each([
    ['another name', policyObject({}, 'mine'), 'metadata.name'],
    ['a node that nobody knows', policyObject({ trust: [{ node: 'nobody' }] }), 'spec.trust[0]'],
    ['the key of somebody else', policyObject({ trust: [{ node: 'builder', key: OTHER }] }), 'spec.trust[0].key'],
    ['one node twice', policyObject({ trust: [{ node: 'builder' }, { node: 'builder' }] }), 'spec.trust[1]'],
    ['a pin of what is no code', policyObject({ pins: { web: { digest: DIGEST, publisher: BUILDER } } }), 'spec.pins'],
  ])('refuses %s', async (_what, object, field) => {
    await expect(policy.handler.create(object)).rejects.toMatchObject({ code: 'INVALID', message: expect.stringContaining(field) });
  });

  it('is read as it was last written, pins included', async () => {
    expect((await policy.read()).trust).toEqual([]);
    await store.transact((tx) => tx.put(policyObject({ trust: [{ node: 'builder', key: BUILDER }] })));
    const before = await policy.read();
    expect(before.trust).toHaveLength(1);
    const pin = { 'acme/web': { digest: DIGEST, publisher: BUILDER } };
    await store.transact((tx) => writePins(tx, NODE, pin, before.pins));
    expect((await policy.read()).pins).toEqual(pin);
    expect((await store.get(policyRef(NODE)))?.metadata.generation).toBe(2);
    const other = { 'acme/web': { digest: '2'.repeat(64), publisher: BUILDER } };
    await expect(store.transact((tx) => writePins(tx, NODE, other, before.pins))).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

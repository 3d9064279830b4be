import { describe, expect, it } from 'vitest';
import type { Member } from '../../../daemon/src/dispatch/dispatch.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { dispatchNodes } from '../../../daemon/src/wiring/dispatch-ports.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { AUTHOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import { memoryKv } from '../../store/memory-kv.ts';

const ref = (name: string) => ({ group: 'dtkd.dev', plural: 'nodes', namespace: '', name });

function nodeObject(name: string, tags: string[], author?: string): ApiObject {
  const metadata = {
    name,
    uid: '',
    resourceVersion: '',
    generation: 1,
    creationTimestamp: '',
    ...(author === undefined ? {} : { annotations: { [AUTHOR_ANNOTATION]: author } }),
  };
  return { apiVersion: 'dtkd.dev/v1', kind: 'Node', metadata, spec: { tags } };
}

describe('nodes as dispatch sees them', () => {
  it('are read again after a change of one, and as often as they are asked for none', async () => {
    const store = await openObjectStore({ kv: memoryKv(), node: 'node0' });
    let reads = 0;
    const counting = {
      list: (...args: Parameters<typeof store.list>) => {
        reads += 1;
        return store.list(...args);
      },
      subscribe: store.subscribe.bind(store),
    };
    let members: Member[] = [];
    const nodes = dispatchNodes(counting, 'node0', { list: () => members });
    const shown = async () => (await nodes.list()).map(({ node, self, object }) => [node, self, object['spec']]);
    const put = (object: ApiObject) => store.transact((tx) => tx.put(object));

    await put(nodeObject('node0', ['a']));
    await put(nodeObject('node1', ['b'], 'key1'));
    expect(await shown()).toEqual([['node0', true, { tags: ['a'] }]]);
    members = [{ node: 'far', domain: 'd', key: 'key1', selfKey: 'me', reach: 'away' }];
    expect(await shown()).toEqual([
      ['node0', true, { tags: ['a'] }],
      ['far', false, { tags: ['b'] }],
    ]);
    expect(reads).toBe(1);

    // one that is asked for while it changes sees what was there before, or after; the next sees what is there
    const meanwhile = shown();
    await store.transact(async (tx) => {
      const stored = await tx.get(ref('node1'));
      if (stored !== undefined) await tx.put({ ...stored, spec: { tags: ['c'] } });
    });
    expect(await shown()).toContainEqual(['far', false, { tags: ['c'] }]);
    expect(await meanwhile).toHaveLength(2);
    await store.transact((tx) => tx.delete(ref('node1')));
    expect(await shown()).toHaveLength(1);
    await store.close();
  });

  it('are asked for again where they could not be read', async () => {
    const store = await openObjectStore({ kv: memoryKv(), node: 'node0' });
    await store.transact((tx) => tx.put(nodeObject('node0', [])));
    let broken = true;
    const nodes = dispatchNodes(
      { list: async (query) => (broken ? Promise.reject(new Error('disk')) : store.list(query)), subscribe: store.subscribe.bind(store) },
      'node0',
      { list: () => [] },
    );
    await expect(nodes.list()).rejects.toThrow('disk');
    broken = false;
    expect(await nodes.list()).toHaveLength(1);
    await store.close();
  });
});

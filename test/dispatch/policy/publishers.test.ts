import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeView } from '../../../daemon/src/dispatch/dispatch.types.ts';
import { policyRef } from '../../../daemon/src/dispatch/policy/policy.ts';
import { Publishers, trustLeft } from '../../../daemon/src/dispatch/policy/publishers.ts';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';

const HERE = 'web1';
/** 64 hex digits from one. */
const key = (digit: string): string => digit.repeat(64);
const BUILDER = { node: 'builder', key: key('b'), follow: true };
const OTHER = { node: 'other', key: key('c') };

describe('trust in the code of a member that is gone', () => {
  let store: LocalStore;
  let publishers: Publishers;
  let shown: { node: string; member: string; signingKey: string }[];
  const gone = new Set<string>();
  const listeners = new Set<() => void>();

  function start(): Promise<void> {
    publishers = new Publishers({
      store,
      node: { name: HERE },
      nodes: { list: async () => shown.map(viewOf) },
      members: {
        onChange: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
      isGone: (member) => gone.has(member),
      logger: silentLogger,
    });
    return publishers.start();
  }

  /** Tells of a change of the members, and waits until it is carried out. */
  async function membersChange(): Promise<void> {
    for (const listener of listeners) listener();
    await restart();
  }

  async function restart(): Promise<void> {
    await publishers.stop();
    await start();
  }

  async function trust(...entries: object[]): Promise<void> {
    await store.transact((tx) => tx.put(policyObject(entries)));
    await restart();
  }

  const trusted = async (): Promise<unknown> => (await store.get(policyRef(HERE)))?.['spec'];

  beforeEach(async () => {
    gone.clear();
    shown = [
      { node: 'builder', member: key('1'), signingKey: BUILDER.key },
      { node: 'other', member: key('2'), signingKey: OTHER.key },
    ];
    store = await openObjectStore({ kv: memoryKv(), node: HERE });
    await start();
    await trust(BUILDER, OTHER);
  });
  afterEach(async () => {
    await publishers.stop();
    await store.close();
  });

  it('ends when its removal is heard, and nobody else’s does', async () => {
    await membersChange();
    expect(await trusted()).toMatchObject({ trust: [BUILDER, OTHER] });
    gone.add(key('1'));
    shown.shift();
    await membersChange();
    expect(await trusted()).toEqual({ trust: [OTHER], pins: {} });
  });

  it('ends also if it was suspended before, and the removal is heard by another process', async () => {
    shown.shift();
    await membersChange();
    expect(await trusted()).toMatchObject({ trust: [BUILDER, OTHER] });
    await publishers.stop();
    gone.add(key('1'));
    await start();
    expect(await trusted()).toMatchObject({ trust: [OTHER] });
  });

  it('ends also if it is called otherwise since, or told another key before it was removed', async () => {
    shown[0] = { node: 'builder-1', member: key('1'), signingKey: key('d') };
    await membersChange();
    gone.add(key('1'));
    await membersChange();
    expect(await trusted()).toMatchObject({ trust: [OTHER] });
  });

  it('is not kept by a member that tells its key as its own, nor ended by one that told the key of somebody else', async () => {
    shown.push({ node: 'liar', member: key('3'), signingKey: BUILDER.key }, { node: 'spoiler', member: key('4'), signingKey: OTHER.key });
    await membersChange();
    gone.add(key('1')).add(key('4'));
    shown = shown.filter(({ member }) => !gone.has(member));
    await membersChange();
    expect(await trusted()).toMatchObject({ trust: [OTHER] });
  });

  it('can be given anew, and then stays', async () => {
    gone.add(key('1'));
    shown.shift();
    await membersChange();
    await trust(BUILDER, OTHER);
    await membersChange();
    expect(await trusted()).toMatchObject({ trust: [BUILDER, OTHER] });
  });

  it('ends with the last who tells the key, where the node that was trusted has another name', () => {
    const teller = (digit: string) => ({ member: key(digit), signingKey: BUILDER.key, node: `builder-${digit}` });
    expect(trustLeft([BUILDER], [teller('1')], [teller('2')])).toEqual([BUILDER]);
    expect(trustLeft([BUILDER], [teller('1'), teller('2')], [])).toEqual([]);
    expect(trustLeft([BUILDER], [], [])).toEqual([BUILDER]);
  });
});

function viewOf({ node, member, signingKey }: { node: string; member: string; signingKey: string }): NodeView {
  const object = { apiVersion: 'dtkd.dev/v1', kind: 'Node', metadata: { ...metadata, name: node, namespace: '' } };
  return { node, self: false, object, signingKey, member: { node, domain: key('0'), key: member, selfKey: key('f'), reach: 'connected' } };
}

const metadata = { uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };

function policyObject(trust: object[]): ApiObject {
  return {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Policy',
    metadata: { ...metadata, name: 'node', namespace: HERE },
    spec: { trust, pins: {} },
  };
}

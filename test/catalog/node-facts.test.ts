import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createNodeFacts, nodeObject } from '../../daemon/src/catalog/node-facts.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import type { ObjectStore } from '../../daemon/src/store/object-store.types.ts';
import { DTKD_GROUP } from '../../protocol/kinds/model.ts';
import { type AuditHead, type NodeFacts, nodeKind } from '../../protocol/kinds/node.ts';
import { Disk } from '../mesh/log/node.ts';
import { Sites } from '../mesh/sites.ts';
import { silentLogger } from '../silent-logger.ts';
import { waitFor } from '../wait.ts';

const FACTS: NodeFacts = { hostname: 'h', osName: 'Linux', startedAt: '2026-01-01T00:00:00.000Z' };
const HEAD: AuditHead = { key: 'k', seq: 1, hash: '0'.repeat(64), time: '', signature: 's' };

function facts(store: ObjectStore, node: string, options: Partial<Parameters<typeof createNodeFacts>[0]> = {}) {
  return createNodeFacts({ store, node, version: '1.2.3', startedAt: 0, logger: silentLogger, ...options });
}

async function names(store: ObjectStore): Promise<string[]> {
  const { items } = await store.list({ group: DTKD_GROUP, plural: 'nodes' });
  return items.map(({ metadata }) => metadata.name);
}

describe('the Node of a node', () => {
  let store: ObjectStore;
  beforeEach(async () => {
    store = await openObjectStore({ kv: new Disk(), node: 'node0' });
  });
  afterEach(() => store.close());

  it('has the facts of the machine, passes its schema, and is written only when something changed', async () => {
    const node = facts(store, 'node0', { tags: ['edge'] });
    await node.start(HEAD);
    const first = await node.get();
    expect(first).toMatchObject({
      metadata: { name: 'node0' },
      spec: { tags: ['edge'] },
      status: { facts: { osName: 'Linux', dtkdVersion: '1.2.3', nodeVersion: process.versions.node }, audit: HEAD },
    });
    expect(nodeKind.schema.safeParse(first).success).toBe(true);
    const version = store.version();
    node.stop();
    const again = facts(store, 'node0', { tags: ['edge'] });
    await again.start();
    again.stop();
    expect(store.version()).toBe(version);
    await again.publishHead({ ...HEAD, seq: 2 });
    expect(await again.get()).toMatchObject({ status: { audit: { seq: 2 }, facts: { osName: 'Linux' } } });
  });

  it('leaves to the operator what the operator said', async () => {
    await facts(store, 'node0', { tags: ['first'] }).start();
    const stored = await store.get({ group: DTKD_GROUP, plural: 'nodes', namespace: '', name: 'node0' });
    if (stored === undefined) throw new Error('no Node');
    await store.transact((tx) => tx.put({ ...stored, spec: { tags: [], description: 'mine' } }));
    const node = facts(store, 'node0', { tags: ['other'] });
    await node.start();
    node.stop();
    expect((await node.get())?.['spec']).toEqual({ tags: [], description: 'mine' });
  });

  it('follows facts that change', async () => {
    let hostname = 'before';
    const node = facts(store, 'node0', { facts: () => ({ ...FACTS, hostname }), lookMs: 5 });
    await node.start();
    hostname = 'after';
    await waitFor(async () => JSON.stringify((await node.get())?.['status']).includes('after'), { what: 'the new host name' });
    node.stop();
  });

  it('counts tags that are given later as a change of what was said', () => {
    const stored = nodeObject('n', undefined, { facts: FACTS });
    expect(stored.metadata.generation).toBe(1);
    expect(nodeObject('n', stored, { facts: FACTS, tags: ['x'] })).toMatchObject({ metadata: { generation: 2 }, spec: { tags: ['x'] } });
    expect(nodeObject('n', stored, { facts: FACTS, tags: [] })).toEqual(stored);
  });
});

describe('the Nodes of a domain', () => {
  const sites = new Sites();
  afterEach(() => sites.stop());

  it('show on every node, and vanish with the member', async () => {
    const [a, b, c] = await sites.domain('a', 'b', 'c');
    if (a === undefined || b === undefined || c === undefined) throw new Error();
    for (const site of [a, b, c]) await facts(site.store, site.name).start();
    for (const site of [a, b, c]) {
      await waitFor(async () => (await names(site.store)).join() === 'a,b,c', { what: `all Nodes to show on ${site.name}` });
    }
    await a.mesh.removePeer('d', a.peer('c').id);
    for (const site of [a, b]) await waitFor(async () => (await names(site.store)).join() === 'a,b', { what: 'the Node to be gone' });
    expect(await names(c.store)).toContain('c');
  });
});

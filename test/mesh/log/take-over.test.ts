import { describe, expect, it } from 'vitest';
import { AuthorDoc } from '../../../daemon/src/mesh/log/author-doc.ts';
import { dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import { parseEntry } from '../../../protocol/log/log-entry.ts';
import { waitFor } from '../../wait.ts';
import { Author } from './author.ts';
import { appRef, DOMAIN_NAME, keyOfApp, Node, publishedApp, Roster } from './node.ts';

async function pair(): Promise<{ roster: Roster; a: Node; peer: Node }> {
  const roster = new Roster();
  const a = await Node.start({ name: 'a', roster });
  const peer = await Node.start({ name: 'peer', roster });
  return { roster, a, peer };
}

/** Exchanges until neither has anything for the other, as nodes that stay connected do. */
async function settle(nodes: readonly Node[], done: () => Promise<boolean>, what: string): Promise<void> {
  await waitFor(
    async () => {
      for (const to of nodes) for (const from of nodes) if (to !== from) await to.pull(from);
      return done();
    },
    { what },
  );
}

/** What a node's log says, as a member that has nothing of it gets it. */
async function docOf(node: Node): Promise<AuthorDoc> {
  const entries = (await node.log.missing([], 1_000_000)).map(parseEntry).filter(({ author }) => author === node.author);
  const [first] = entries;
  if (first === undefined) throw new Error('the log is empty');
  const doc = new AuthorDoc(first.epoch);
  for (const { update } of entries) doc.replay(update);
  return doc;
}

const same =
  (...nodes: Node[]) =>
  async (): Promise<boolean> => {
    const [first, ...others] = await Promise.all(nodes.map((node) => node.shown()));
    return others.every((other) => JSON.stringify(sorted(other)) === JSON.stringify(sorted(first ?? {})));
  };

const sorted = (shown: Record<string, string>): [string, string][] => Object.entries(shown).sort();

describe('a data directory restored from a backup', () => {
  it('takes in what the peers have, newer objects and deletions, and keeps what is made since', async () => {
    const { roster, a, peer } = await pair();
    for (const name of ['changed', 'deleted', 'same']) await a.expose(name);
    const backup = await a.disk.copy();
    await a.expose('changed', { service: 'newer' });
    await a.withdraw('deleted');
    await a.expose('new');
    await peer.pull(a);
    await a.logs.close();
    const restored = await Node.start({ name: 'a', key: a.key, roster, disk: backup });
    expect(await restored.names()).toEqual(['a/changed', 'a/deleted', 'a/same']);
    await settle(
      [restored, peer],
      async () => (await restored.names()).includes('a/new') && (await same(restored, peer)()),
      'the state to be taken in',
    );
    expect(await restored.names()).toEqual(['a/changed', 'a/new', 'a/same']);
    expect(JSON.stringify(await restored.store.get(appRef('a', 'changed')))).toContain('newer');
    expect(await restored.store.originOf(appRef('a', 'new'))).toBe('own');
    expect(restored.log.counters()['takeOvers']).toBe(1);
    expect(restored.logs.restoredAt()).toEqual(expect.any(Number));
    expect(a.logs.restoredAt()).toBeUndefined();
    await restored.expose('after');
    await settle([restored, peer], same(restored, peer), 'the same objects');
    expect(restored.log.condition()).toBeUndefined();
    const again = await Node.start({ name: 'a', key: a.key, roster, disk: await restored.disk.copy() });
    expect(again.logs.restoredAt()).toBe(restored.logs.restoredAt());
    expect(restored.log.counters()['takeOvers']).toBe(1);
    expect(peer.log.counters()['forked']).toBeUndefined();
  });

  it('leaves as it is published what only the later version reads that wrote after the backup', async () => {
    const { roster, a, peer } = await pair();
    await a.expose('known');
    const backup = await a.disk.copy();
    const head = (await a.log.heads())[0];
    await a.logs.close();
    const later = new Author(a.key, { ms: Date.now() + 1, random: '0123456789abcdef' });
    const o = publishedApp('later');
    const value = { b: '0'.repeat(36), o: { ...o, spec: { ...Object(o['spec']), authenticationType: 'Later' } } };
    const values = new Map([
      [keyOfApp('known'), later.value('known')],
      [keyOfApp('later'), value],
    ]);
    const lineage = head === undefined ? [] : [{ epoch: head.epoch, seq: head.seq }];
    expect(await peer.log.receive(later.sign(later.doc.write(values), { lineage }).bytes)).toBe('applied');
    const restored = await Node.start({ name: 'a', key: a.key, roster, disk: backup });
    await settle([restored, peer], async () => restored.log.counters()['takeOvers'] === 1, 'the state to be taken in');
    const again = await restored.restart();
    await again.expose('mine');
    await peer.pull(again);
    expect(await peer.names()).toEqual(['a/known', 'a/mine']);
    const upgraded = await again.restart();
    const doc = await docOf(upgraded);
    expect(doc.get(keyOfApp('later'))).toEqual(value);
  });

  it('also takes in an epoch that began after the backup', async () => {
    const { roster, a, peer } = await pair();
    await a.expose('old');
    await a.expose('deleted');
    const backup = await a.disk.copy();
    const later = await a.restart();
    await later.expose('new');
    await later.withdraw('deleted');
    await peer.pull(later);
    const restored = await Node.start({ name: 'a', key: a.key, roster, disk: backup });
    await settle(
      [restored, peer],
      async () => (await restored.names()).join() === 'a/new,a/old' && (await same(restored, peer)()),
      'the state to be taken in',
    );
  });

  it('loses nothing though it wrote before it met anybody', async () => {
    const { roster, a, peer } = await pair();
    await a.expose('old');
    await a.expose('deleted');
    const backup = await a.disk.copy();
    const later = await a.restart();
    await later.expose('new');
    await later.withdraw('deleted');
    await peer.pull(later);
    const restored = await Node.start({ name: 'a', key: a.key, roster, disk: backup });
    await restored.expose('alone');
    // The peer hears of the new epoch first, whose lineage does not contain what the peer has.
    await peer.pull(restored);
    expect(await peer.names()).toEqual(['a/alone', 'a/deleted', 'a/old']);
    const wanted = ['a/alone', 'a/new', 'a/old'].join();
    await settle(
      [restored, peer],
      async () => (await peer.names()).join() === wanted && (await same(restored, peer)()),
      'the state to be taken in',
    );
    const entries = (await peer.disk.rows('l/')).filter(([key]) => key.includes(`/${a.author}/e/`));
    expect(new Set(entries.map(([key]) => key.split('/e/')[1]?.slice(0, 28))).size).toBe(1);
  });

  it('keeps other domains of an object that is taken in', () => {
    const published = { ...app('x', [DOMAIN_NAME]), metadata: { ...app('x', []).metadata, generation: 5 } };
    const merged = dtAppKind.adopted?.(published, DOMAIN_NAME, { ...app('x', [DOMAIN_NAME, 'other']), status: 'Ready' });
    expect(merged).toMatchObject({
      metadata: { generation: 5 },
      spec: { domainSelector: { name: [DOMAIN_NAME, 'other'] } },
      status: 'Ready',
    });
    const left = dtAppKind.adopted?.(undefined, DOMAIN_NAME, app('x', [DOMAIN_NAME, 'other']));
    expect(left).toMatchObject({ spec: { domainSelector: { name: ['other'] } } });
    expect(dtAppKind.adopted?.(undefined, DOMAIN_NAME, app('x', [DOMAIN_NAME]))).toBeUndefined();
    expect(dtAppKind.adopted?.(undefined, DOMAIN_NAME, undefined)).toBeUndefined();
  });

  function app(name: string, domains: string[]) {
    const metadata = { name, uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };
    return { apiVersion: 'sid.sightlineinnovation.com/v1', kind: 'dtApp', metadata, spec: { domainSelector: { name: domains } } };
  }
});

describe('a copy that runs beside the original', () => {
  it('is joined once where both write once', async () => {
    const { roster, a, peer } = await pair();
    await a.expose('common');
    const copy = await Node.start({ name: 'a', key: a.key, roster, disk: await a.disk.copy() });
    await a.expose('by-original');
    await copy.expose('by-copy');
    await copy.withdraw('common');
    const wanted = 'a/by-copy,a/by-original';
    await settle([a, peer], async () => true, 'one exchange');
    await settle(
      [copy, peer],
      async () => (await copy.names()).join() === wanted && (await peer.names()).join() === wanted,
      'the copy to take in what the original wrote',
    );
  });

  it.each([
    ['as fast', 0],
    ['behind', -3_600_000],
    ['ahead', 3_600_000],
  ])('makes both say so once each has heard of the other, though it began earlier, with a clock %s', async (_, offset) => {
    const { roster, a, peer } = await pair();
    await a.expose('common');
    await peer.pull(a);
    const copy = await Node.start({ name: 'a', key: a.key, roster, disk: await a.disk.copy(), now: () => Date.now() + offset });
    await copy.expose('by-copy');
    await peer.pull(copy);
    const original = await a.restart();
    await original.expose('by-original');
    await settle([original, peer], async () => original.log.counters()['takeOvers'] === 1, 'the original to hear of the copy');
    for (const node of [copy, original]) {
      await settle([node, peer], async () => node.log.condition() === 'KEY_IN_USE_ELSEWHERE', 'one after the other to notice');
    }
    for (const node of [original, copy, peer]) expect(await node.names()).toEqual(['a/by-copy', 'a/by-original', 'a/common']);
    expect(peer.log.counters()['forked']).toBeUndefined();
  });

  it('is noticed by a state that is too large to be taken in, too', async () => {
    const { roster, a, peer } = await pair();
    await a.expose('common');
    const copy = await Node.start({ name: 'a', key: a.key, roster, disk: await a.disk.copy() });
    await copy.expose('by-copy');
    await peer.pull(copy);
    a.disk.failing = true;
    await settle([a, peer], async () => a.log.condition() !== undefined, 'the original to notice');
    a.disk.failing = false;
    expect(await a.names()).toEqual(['a/common']);
    const again = await a.restart();
    await settle([again, peer], same(again, peer), 'the state to be taken in');
    expect(await again.names()).toEqual(['a/by-copy', 'a/common']);
    expect(again.log.condition()).toBeUndefined();
  });

  it('refuses to publish, and takes in nothing more, until it is started anew', async () => {
    const { roster, a, peer } = await pair();
    await a.expose('common');
    const copy = await Node.start({ name: 'a', key: a.key, roster, disk: await a.disk.copy() });
    await copy.expose('by-copy');
    await peer.pull(copy);
    await settle([a, peer], async () => a.log.condition() !== undefined, 'the original to notice');
    await expect(a.expose('more')).rejects.toMatchObject({ code: 'KEY_IN_USE_ELSEWHERE' });
    await expect(a.withdraw('common')).rejects.toMatchObject({ code: 'KEY_IN_USE_ELSEWHERE' });
    await a.expose('private', { domains: ['another'] });
    await copy.expose('later');
    await peer.pull(copy);
    expect(await a.log.isBehind(await peer.log.heads())).toBe(false);
    const again = await a.restart();
    expect(again.log.condition()).toBeUndefined();
    await again.expose('more');
  });
});

describe('a member that tells again what this process wrote', () => {
  it('makes it believe of no other process', async () => {
    const { a, peer } = await pair();
    for (const name of ['one', 'two', 'three']) {
      await a.expose(name);
      // The next write opens an epoch.
      a.disk.failing = true;
      await expect(a.expose('lost')).rejects.toThrow('full');
      a.disk.failing = false;
    }
    const [, second] = a.pushed;
    if (second === undefined) throw new Error('there are three epochs');
    const { epoch, hash } = parseEntry(second);
    expect(await a.log.isBehind([{ author: a.author, epoch, seq: 99, hash }])).toBe(true);
    await a.log.receive(second);
    await waitFor(() => a.log.counters()['takeOvers'] === 1, { what: 'it to be taken in' });
    expect(a.log.condition()).toBeUndefined();
    await peer.pull(a);
    expect(await peer.names()).toEqual(['a/one', 'a/three', 'a/two']);
  });
});

describe('a cleared author', () => {
  it('says everything again above the fork', async () => {
    const { roster, a, peer } = await pair();
    await a.expose('one');
    await peer.pull(a);
    const head = (await a.log.heads())[0];
    roster.suspended.add(a.author);
    if (head !== undefined) roster.forked.set(a.author, head.epoch);
    for (const node of [a, peer]) await node.log.refreshAuthor(a.author);
    expect(await peer.names()).toEqual([]);
    await a.expose('two');
    roster.suspended.clear();
    for (const node of [a, peer]) await node.log.refreshAuthor(a.author);
    await peer.pull(a);
    expect(await peer.shown()).toEqual(await a.shown());
    const later = await a.restart();
    await later.expose('three');
    await peer.pull(later);
    expect(await peer.shown()).toEqual(await later.shown());
  });
});

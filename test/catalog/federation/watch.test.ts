import { afterEach, describe, expect, test, vi } from 'vitest';
import { modelKind } from '../../../protocol/kinds/model.ts';
import { waitFor } from '../../wait.ts';
import { expected, Informer, textOf } from './informer.ts';
import { Nodes, putModel, USER } from './nodes.ts';

let nodes: Nodes;
let informer: Informer;
afterEach(async () => {
  await informer?.stop();
  await nodes.close();
});

async function open(options = {}): Promise<void> {
  nodes = await Nodes.open(3);
  for (const node of nodes.others) for (const name of ['a', 'b']) await node.put(name, 'one', { tier: name === 'a' ? 'front' : 'back' });
  await putModel(nodes.store, 'node0', 'own', 'one');
  informer = new Informer(nodes, options);
  informer.start();
}

async function agrees(remembered = new Map()): Promise<void> {
  await waitFor(async () => JSON.stringify(informer.view()) === JSON.stringify(await expected(nodes, remembered)), {
    what: 'the informer to hold the truth',
  }).catch(async (error: unknown) => {
    expect({ held: informer.view(), log: informer.log.slice(-20) }).toEqual({ held: await expected(nodes, remembered), log: [] });
    throw error;
  });
}

describe('a watch over nodes', () => {
  test('tells of every change on every node', async () => {
    await open();
    await agrees();
    await nodes.node('node1').put('a', 'two');
    await nodes.node('node2').put('c', 'new');
    await nodes.node('node3').delete('b');
    await putModel(nodes.store, 'node0', 'more', 'x');
    await agrees();
    expect(informer.log).toContain('MODIFIED node1/a {"description":"two"}');
    expect(informer.log).toContain('ADDED node2/c {"description":"new"}');
    expect(informer.lists).toBe(1);
  });

  test('takes rows that are too large for one page in several', async () => {
    nodes = await Nodes.open(1);
    for (const name of ['a', 'b', 'c', 'd', 'e']) await nodes.node('node1').put(name, name.repeat(900_000));
    const stop = new AbortController();
    const names = new Set<string>();
    const request = { user: USER, kind: modelKind, bookmarks: false, timeoutMs: 60_000, signal: stop.signal };
    for await (const event of await nodes.federation.watch(request)) {
      if (event.type !== 'BOOKMARK') names.add(event.object.metadata.name);
      if (names.size === 5) break;
    }
    stop.abort();
    expect(nodes.node('node1').asked).toBeLessThan(15);
  });

  test('keeps the rows of a node that goes away, marked once, and emits the difference when it is back', async () => {
    await open();
    await agrees();
    const node = nodes.node('node2');
    const remembered = new Map([['node2', await node.rows()]]);
    node.mood = 'away';
    node.cut();
    await agrees(remembered);
    expect(informer.log).toEqual(['MODIFIED node2/a {"description":"one"} old', 'MODIFIED node2/b {"description":"one"} old']);
    informer.log.length = 0;
    await node.put('a', 'two');
    await node.delete('b');
    node.mood = 'well';
    nodes.changed();
    await agrees();
    expect(informer.log).toContain('MODIFIED node2/a {"description":"two"}');
    expect(informer.log.filter((line) => line.startsWith('DELETED'))).toEqual(['DELETED node2/b {"description":"one"}']);
    expect(informer.lists).toBe(1);
  });

  test('deletes the rows of a node that denies, and of one that is a member no more', async () => {
    await open();
    await agrees();
    nodes.node('node1').mood = 'denied';
    nodes.node('node1').cut();
    await agrees();
    nodes.node('node1').mood = 'well';
    nodes.federation.rightsChanged('node1');
    await agrees();
    nodes.node('node3').member = false;
    nodes.changed();
    await agrees();
  });

  test('goes on from a bookmark after a cut, and after this daemon was restarted', async () => {
    await open();
    await agrees();
    await nodes.node('node1').put('a', 'two');
    await agrees();
    await informer.stop();
    await nodes.node('node1').put('a', 'three');
    await nodes.node('node1').delete('b');
    informer.start();
    await agrees();
    await informer.stop();
    await nodes.restart();
    await nodes.node('node2').put('z', 'new');
    await putModel(nodes.store, 'node0', 'own', 'two');
    informer.start();
    await agrees();
    expect(informer.lists).toBe(1);
  });

  test('a node that restarted, or whose log no longer reaches back, is compared', async () => {
    await open();
    await agrees();
    await nodes.node('node1').restart();
    await nodes.node('node1').put('n', 'new');
    await agrees();
    expect(informer.lists).toBe(1);
  });

  test('takes in what a node changed that was asked while it restarted', async () => {
    await open();
    await agrees();
    const node = nodes.node('node3');
    const before = node.asked;
    node.end();
    await waitFor(() => node.asked > before);
    await node.begin();
    await node.put('a', 'two');
    await agrees();
    expect(informer.lists).toBe(1);
  });

  test('after a list that a node did not answer has its rows as they are, though nothing happened to them', async () => {
    await open();
    await agrees();
    const node = nodes.node('node2');
    // its lists break, its watch goes on
    node.spoil = () => undefined;
    const late = new Informer(nodes);
    late.start();
    try {
      await waitFor(async () => late.view().join() === (await expected(nodes, new Map())).join(), {
        what: 'the rows that its list did not show',
      });
    } finally {
      await late.stop();
    }
  });

  test('lets one go that a list found gone before the watch was told', async () => {
    await open();
    await agrees();
    const node = nodes.node('node3');
    await waitFor(() => node.followed === 1);
    node.member = false;
    await nodes.page();
    nodes.changed();
    await waitFor(() => node.followed === 0, { what: 'its watch to end' });
    await node.put('c', 'new');
    await agrees();
  });

  test('has all rows of one that a list found gone, and that is back before the watch was told', async () => {
    await open();
    await agrees();
    const node = nodes.node('node3');
    node.member = false;
    await nodes.page();
    node.member = true;
    nodes.changed();
    await node.put('c', 'new');
    await agrees();
    // also those that begin again
    informer.forget();
    await informer.stop();
    informer.start();
    await agrees();
  });

  test('shows one under its new name only, whoever sees that first', async () => {
    await open();
    await agrees();
    const shown = () => [...informer.cache.keys()].sort();
    const names = ['node0/own', 'node1/a', 'node1/b', 'node2-7f/a', 'node2-7f/b', 'node3-7f/a', 'node3-7f/b'];
    nodes.node('node2').shownAs = 'node2-7f';
    nodes.node('node3').shownAs = 'node3-7f';
    expect((await nodes.page({ stale: true })).names).toEqual(names);
    nodes.changed();
    await waitFor(() => shown().join() === names.join(), { what: 'the new names' });
    await nodes.node('node2').put('c', 'new');
    await waitFor(() => informer.cache.has('node2-7f/c'), { what: 'a change under the new name' });
    expect(shown()).toHaveLength(names.length + 1);
  });

  test('shows only what is selected, by label, by name, by node', async () => {
    await open({ labelSelector: 'tier=front' });
    await waitFor(() => informer.cache.size === 3);
    await nodes.node('node1').put('b', 'moved in', { tier: 'front' });
    await waitFor(() => informer.cache.has('node1/b'));
    await nodes.node('node1').put('a', 'moved out', { tier: 'back' });
    await waitFor(() => !informer.cache.has('node1/a'));
    expect(informer.log).toEqual(['ADDED node1/b {"description":"moved in"}', 'DELETED node1/a {"description":"one"}']);
    const only = new Informer(nodes, { namespace: 'node2' });
    only.start();
    await waitFor(() => only.view().length === 2);
    await only.stop();
  });

  test('begins with the present state where no version is given, and says when that is over', async () => {
    await open();
    await agrees();
    nodes.node('node1').mood = 'known';
    const stop = new AbortController();
    const events = await nodes.federation.watch({ user: USER, kind: modelKind, bookmarks: true, timeoutMs: 60_000, signal: stop.signal });
    const seen: string[] = [];
    for await (const event of events) {
      if (event.type === 'BOOKMARK') break;
      seen.push(event.object.metadata.namespace ?? '');
    }
    expect(seen).toEqual(['node0', 'node1', 'node1', 'node2', 'node2', 'node3', 'node3']);
    stop.abort();
  });

  test('tells how far it has come though the clock was set back', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    await open();
    await agrees();
    const stop = new AbortController();
    const request = { user: USER, kind: modelKind, bookmarks: true, timeoutMs: 60_000, signal: stop.signal };
    try {
      let bookmarks = 0;
      for await (const { type } of await nodes.federation.watch(request)) {
        if (type !== 'BOOKMARK') continue;
        bookmarks += 1;
        if (bookmarks === 2) break;
        vi.setSystemTime(Date.now() - 24 * 60 * 60 * 1000);
        await putModel(nodes.store, 'node0', 'later', 'one');
      }
    } finally {
      vi.useRealTimers();
      stop.abort();
    }
  });

  test('after a list without the rows of an absent node shows them, marked', async () => {
    await open();
    await agrees();
    await informer.stop();
    nodes.node('node2').mood = 'away';
    nodes.node('node2').cut();
    const { names, resourceVersion } = await nodes.page({ stale: false });
    expect(names.some((name) => name.startsWith('node2/'))).toBe(false);
    const stop = new AbortController();
    const request = { user: USER, kind: modelKind, bookmarks: true, timeoutMs: 60_000, signal: stop.signal, resourceVersion };
    const seen: string[] = [];
    for await (const event of await nodes.federation.watch(request)) {
      if (event.type !== 'BOOKMARK') seen.push(`${event.type} ${textOf(event.object)}`);
      if (new Set(seen).size === 2) break;
    }
    stop.abort();
    expect([...new Set(seen)]).toEqual(['ADDED node2/a {"description":"one"} old', 'ADDED node2/b {"description":"one"} old']);
  });

  test('refuses versions that were not given here', async () => {
    await open();
    await agrees();
    const ask = (resourceVersion: string) =>
      nodes.federation.watch({
        user: USER,
        kind: modelKind,
        bookmarks: false,
        timeoutMs: 60_000,
        signal: AbortSignal.abort(),
        resourceVersion,
      });
    await expect(ask('5')).rejects.toMatchObject({ code: 'GONE' });
    await expect(ask('99999999999999999999')).rejects.toMatchObject({ code: 'GONE' });
    await expect(ask(String(2 ** 53 - 2))).rejects.toMatchObject({ code: 'GONE' });
    await expect(ask('x')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  test('many of one user share one watch of each peer', async () => {
    await open();
    await agrees();
    const before = nodes.node('node1').asked;
    const more = Array.from({ length: 5 }, () => new Informer(nodes));
    for (const one of more) one.start();
    await waitFor(() => more.every((one) => one.cache.size === 7));
    // the list of each, and no watch
    expect(nodes.node('node1').asked - before).toBeLessThanOrEqual(5);
    await Promise.all(more.map((one) => one.stop()));
  });
});

import { afterEach, describe, expect, test } from 'vitest';
import { STALE_ANNOTATION } from '../../../protocol/objects/completeness.ts';
import { ROWS_MEDIA_TYPE } from '../../../protocol/peers/remote.ts';
import { model, Nodes, putModel, USER } from './nodes.ts';

let nodes: Nodes;
afterEach(() => nodes.close());

async function open(count = 3, rows = 3): Promise<void> {
  nodes = await Nodes.open(count);
  for (const node of nodes.others)
    for (let index = 0; index < rows; index++) await node.put(`m${index}`, 'text', { tier: index === 0 ? 'front' : 'back' });
  for (let index = 0; index < rows; index++) await putModel(nodes.store, 'node0', `m${index}`, '', { tier: 'front' });
}

/** Walks a list page by page. */
async function walk(limit: number, between: (page: number) => Promise<void> | void = () => {}, options = {}) {
  const names: string[] = [];
  const versions = new Set<string>();
  let next: string | undefined = '';
  let last: Awaited<ReturnType<Nodes['page']>> | undefined;
  for (let page = 0; next !== undefined && page < 1000; page++) {
    last = await nodes.page({ limit, continue: next, ...options });
    expect(last.names.length).toBeLessThanOrEqual(limit);
    names.push(...last.names);
    versions.add(last.resourceVersion);
    next = last.next;
    await between(page);
  }
  return { names, versions, completeness: last?.completeness ?? [] };
}

describe('a list over nodes', () => {
  test('is the rows of all nodes in namespace order, and a statement for each other one', async () => {
    await open();
    const { names, completeness } = await nodes.page();
    expect(names).toEqual(await nodes.truth());
    expect(names).toEqual([...names].sort());
    expect(completeness).toEqual(['node1', 'node2', 'node3'].map((node) => ({ node, state: 'answered' })));
  });

  test.each([1, 2, 3, 4, 5, 100])('comes in pages of %i with each row once and one version', async (limit) => {
    await open();
    const { names, versions, completeness } = await walk(limit);
    expect(names).toEqual(await nodes.truth());
    expect(versions.size).toBe(1);
    expect(completeness.map(({ node, state }) => `${node} ${state}`)).toEqual(['node1 answered', 'node2 answered', 'node3 answered']);
  });

  test.each([0, 3, 30, 500])('goes on within rows that are too large for one page, %i at a time', async (limit) => {
    await open(2, 1);
    for (let index = 0; index < 40; index += 1)
      await nodes.node('node1').put(`large${String(index).padStart(2, '0')}`, 'x'.repeat(200_000));
    const names = limit === 0 ? (await nodes.page()).names : (await walk(limit)).names;
    expect(names).toEqual(await nodes.truth());
  });

  test('without a limit ends, whatever a node sends, and has the rows of the others', async () => {
    await open(2, 1);
    const liar = nodes.node('node1');
    let count = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('{"metadata":{"resourceVersion":"1"}}\n');
      for (;;) {
        count += 1;
        const row = model(`m${String(count).padStart(9, '0')}`, 'node1', 'x'.repeat(1_000_000));
        Object.assign(row.metadata, { uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' });
        yield Buffer.from(`${JSON.stringify(row)}\n`);
      }
    }
    liar.request = async () => ({ status: 200, contentType: ROWS_MEDIA_TYPE, warnings: [], body: endless() });
    const { names, completeness } = await nodes.page();
    expect(count).toBeLessThan(200);
    expect(names).toContain('node2/m0');
    expect(completeness).toContainEqual({ node: 'node1', state: 'unreachable', reason: expect.stringContaining('without a limit') });
  });

  test('of one node asks that one only', async () => {
    await open();
    const { names, completeness } = await nodes.page({ namespace: 'node2' });
    expect(names).toEqual(['node2/m0', 'node2/m1', 'node2/m2']);
    expect(completeness).toEqual([{ node: 'node2', state: 'answered' }]);
    expect(nodes.node('node1').asked).toBe(0);
  });

  test('passes selectors on, and takes the namespace out of them', async () => {
    await open();
    expect((await nodes.page({ labelSelector: 'tier=front' })).names).toHaveLength(6);
    expect((await nodes.page({ fieldSelector: 'metadata.name=m1,metadata.namespace!=node2' })).names).toEqual([
      'node0/m1',
      'node1/m1',
      'node3/m1',
    ]);
    await expect(nodes.page({ labelSelector: 'a b c' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(nodes.page({ continue: 'xyz' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  test('states what it could not get, and costs no request for one that is known to be away', async () => {
    await open();
    nodes.node('node1').mood = 'known';
    nodes.node('node2').mood = 'away';
    nodes.node('node3').mood = 'denied';
    const { names, completeness } = await nodes.page();
    expect(names).toEqual(['node0/m0', 'node0/m1', 'node0/m2']);
    expect(completeness.map(({ state }) => state)).toEqual(['unreachable', 'unreachable', 'denied']);
    expect(completeness[2]?.reason).toBe('no grant');
    expect(nodes.node('node1').asked).toBe(0);
  });

  test('says of a suspended node that it is not asked, and not that it is away', async () => {
    await open();
    await nodes.page({ stale: true });
    const { asked } = nodes.node('node1');
    nodes.node('node1').mood = 'suspended';
    nodes.node('node2').mood = 'suspended';
    const reason = expect.stringContaining('suspended');
    for (const limit of [0, 9]) {
      expect((await nodes.page({ limit })).completeness.slice(0, 2)).toEqual([
        { node: 'node1', state: 'unasked', reason },
        { node: 'node2', state: 'unasked', reason },
      ]);
    }
    expect((await nodes.page({ stale: true })).completeness[0]).toMatchObject({ node: 'node1', state: 'stale', reason });
    const { completeness } = await walk(4);
    expect(completeness[0]).toMatchObject({ node: 'node1', state: 'unasked', reason });
    expect(nodes.node('node1').asked).toBe(asked);
  });

  test('gives up a frozen node after the time that was given, and gives all others', async () => {
    await open(20, 2);
    nodes.node('node1').mood = 'frozen';
    nodes.node('node9').mood = 'frozen';
    for (const { names, completeness } of await Promise.all([0, 500].map((limit) => nodes.page({ timeoutMs: 1_000, limit })))) {
      expect(names).toHaveLength(2 * 19);
      expect(completeness.filter(({ state }) => state === 'unreachable').map(({ node }) => node)).toEqual(['node1', 'node9']);
    }
  });

  test('has one that writes what is kept, though a page that was fetched ahead comes when the list is over', async () => {
    await open(2, 2);
    const late = nodes.node('node2');
    late.mood = 'frozen';
    const given = new AbortController();
    // two of this node, two of node1; node2 is asked meanwhile
    expect((await nodes.page({ limit: 4, signal: given.signal })).names).toHaveLength(4);
    expect(late.asked).toBe(1);
    // more than are remembered without being used
    for (let other = 0; other < 70; other += 1) {
      const user = { ...USER, name: `u${other}`, uid: `u-${other}`, display: `u${other}@node0` };
      expect((await nodes.page({ limit: 1, user })).names).toEqual(['node0/m0']);
    }
    const { completeness } = await nodes.page({ namespace: 'node2', timeoutMs: 100 });
    expect(completeness).toMatchObject([{ node: 'node2', state: 'unreachable', reason: expect.stringContaining('busy') }]);
    expect(late.asked).toBe(1);
    given.abort();
    late.mood = 'well';
    expect((await nodes.page({ namespace: 'node2' })).names).toEqual(['node2/m0', 'node2/m1']);
  });

  test('adds what an absent node answered last, marked, where that is wanted', async () => {
    await open();
    await nodes.page();
    nodes.node('node2').mood = 'away';
    expect((await nodes.page()).names).toHaveLength(9);
    for (const limit of [0, 2, 5]) {
      const { names } = limit === 0 ? await nodes.page({ stale: true }) : await walk(limit, undefined, { stale: true });
      expect(names).toEqual(await nodes.truth());
    }
    const { rows, completeness } = await nodes.page({ stale: true, labelSelector: 'tier=front' });
    const old = rows.filter(({ metadata }) => metadata.annotations?.[STALE_ANNOTATION] !== undefined);
    expect(old.map(({ metadata }) => metadata.namespace)).toEqual(['node2']);
    expect(completeness[1]).toMatchObject({ node: 'node2', state: 'stale', since: old[0]?.metadata.annotations?.[STALE_ANNOTATION] });
  });

  test('keeps nothing of a node that denies', async () => {
    await open();
    await nodes.page();
    nodes.node('node2').mood = 'denied';
    await nodes.page();
    nodes.node('node2').mood = 'away';
    expect((await nodes.page({ stale: true })).completeness[1]).toMatchObject({ state: 'unreachable' });
  });

  test('forgets a user, and rows of who is a member no more', async () => {
    await open();
    await nodes.page();
    nodes.node('node1').member = false;
    nodes.node('node2').mood = 'away';
    expect((await nodes.page({ stale: true })).names).toEqual([
      'node0/m0',
      'node0/m1',
      'node0/m2',
      'node2/m0',
      'node2/m1',
      'node2/m2',
      'node3/m0',
      'node3/m1',
      'node3/m2',
    ]);
    const { names } = await nodes.page({ stale: true });
    expect(names.some((name) => name.startsWith('node1/'))).toBe(false);
    await nodes.federation.forgetUser({ home: 'self', name: 'ops', uid: 'u-1' });
    expect((await nodes.page({ stale: true })).completeness[0]).toMatchObject({ node: 'node2', state: 'unreachable' });
    expect((await nodes.kv.page({ gte: 'f/o/', lt: 'f/o0' })).map(([key]) => key).every((key) => key.includes('/m'))).toBe(true);
  });

  test('goes on with the pages that were begun when a node goes away or comes, and says so', async () => {
    await open();
    const gone = await walk(4, (page) => {
      if (page === 0) nodes.node('node2').mood = 'away';
    });
    expect(gone.names).toEqual((await nodes.truth()).filter((name) => !name.startsWith('node2/')));
    expect(gone.completeness.map(({ state }) => state)).toEqual(['answered', 'unreachable', 'answered']);
    nodes.node('node2').mood = 'well';
    nodes.node('node1').member = false;
    const come = await walk(5, (page) => {
      if (page === 0) nodes.node('node1').member = true;
    });
    expect(come.names.some((name) => name.startsWith('node1/'))).toBe(false);
    expect(come.completeness.find(({ node }) => node === 'node1')).toMatchObject({ state: 'unreachable' });
  });
});

describe('a node that answers with something else', () => {
  const cases: [string, (line: string) => string | undefined, string][] = [
    ['not JSON', (line) => (line.includes('m1') ? '{' : line), 'not JSON'],
    ['rows of another kind', (line) => line.replace('"kind":"Model"', '"kind":"Type"'), 'not a Model'],
    [
      'rows of another node',
      (line) => (line.includes('m1') ? line.replace('"namespace":"node2"', '"namespace":"node1"') : line),
      'another node',
    ],
    ['rows of this node', (line) => line.replace('"namespace":"node2"', '"namespace":"node0"'), 'another node'],
    ['a name that is none', (line) => line.replace('"name":"m1"', '"name":"../m1"'), 'valid name'],
    ['rows out of order', (line) => line.replace('"name":"m2"', '"name":"a"'), 'out of order'],
    ['a row twice', (line) => line.replace('"name":"m2"', '"name":"m1"'), 'out of order'],
    ['no head', (line) => (line.startsWith('{"metadata":{"res') ? '{}' : line), 'head'],
    ['an endless line', (line) => (line.includes('m1') ? 'x'.repeat(3_000_000) : line), 'bytes'],
    ['nesting without end', (line) => (line.includes('m1') ? `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}` : line), 'object'],
    ['half of its rows', (line) => (line.includes('m1') ? undefined : line), 'broke'],
    [
      'a continue text that is too long',
      (line) => (line.startsWith('{"end"') ? JSON.stringify({ end: { continue: 'x'.repeat(5000) } }) : line),
      'end',
    ],
    ['labels that are none', (line) => line.replace('"tier":"back"', '"tier":{}'), 'labels'],
  ];
  test.each(cases)('%s', async (_what, spoil, reason) => {
    await open();
    nodes.node('node2').spoil = spoil;
    const { names, completeness } = await nodes.page();
    expect(names.filter((name) => !name.startsWith('node2/'))).toHaveLength(9);
    expect(completeness[1]).toMatchObject({ node: 'node2', state: 'unreachable', reason: expect.stringContaining(reason) });
    expect(completeness[2]).toMatchObject({ node: 'node3', state: 'answered' });
  });

  test('more rows than were asked for, for ever', async () => {
    await open(1);
    const node = nodes.node('node1');
    let sent = 0;
    node.spoil = (line) => {
      if (!line.startsWith('{"end"')) return line;
      return Array.from({ length: 200 }, () => {
        sent += 1;
        return JSON.stringify(nodesModel(`x${String(sent).padStart(6, '0')}`));
      }).join('\n');
    };
    const { completeness } = await nodes.page();
    expect(completeness[0]).toMatchObject({ state: 'unreachable', reason: expect.stringContaining('more rows') });
  });
});

function nodesModel(name: string): object {
  return {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Model',
    metadata: { name, namespace: 'node1', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' },
  };
}

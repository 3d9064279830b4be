/** Pages of lists that began before what is kept now: what they show, and what a watch from their list tells of it. */
import { afterEach, describe, expect, test } from 'vitest';
import { DtkdError } from '../../../protocol/errors.ts';
import { modelKind } from '../../../protocol/kinds/model.ts';
import { Nodes, nameOf, USER } from './nodes.ts';

let nodes: Nodes;
afterEach(() => nodes.close());

async function open(): Promise<void> {
  nodes = await Nodes.open(1);
  for (const name of ['a', 'b', 'c']) await nodes.node('node1').put(name, 'one');
}

/** What a watch from a version tells of what has happened until now. */
async function told(resourceVersion: string): Promise<string[]> {
  const stop = new AbortController();
  const events: string[] = [];
  const request = { user: USER, kind: modelKind, bookmarks: false, timeoutMs: 60_000, signal: stop.signal, resourceVersion };
  // once this comes everything before it has
  await nodes.node('node1').put('end');
  try {
    for await (const event of await nodes.federation.watch(request)) {
      if (event.type === 'BOOKMARK') continue;
      if (event.object.metadata.name === 'end') break;
      events.push(`${event.type} ${nameOf(event.object)}`);
    }
  } catch (error) {
    if (error instanceof DtkdError && error.code === 'GONE') return ['GONE'];
    throw error;
  } finally {
    stop.abort();
  }
  return events;
}

/** The same kind is followed, from now until it is called back. */
async function follow(): Promise<() => void> {
  const stop = new AbortController();
  const request = { user: USER, kind: modelKind, bookmarks: true, timeoutMs: 60_000, signal: stop.signal };
  const events = (await nodes.federation.watch(request))[Symbol.asyncIterator]();
  for (let next = await events.next(); next.value?.type !== 'BOOKMARK'; next = await events.next());
  return () => stop.abort();
}

const first = () => nodes.page({ limit: 2, stale: true });
const rest = (next: string | undefined) => nodes.page({ limit: 2, stale: true, ...(next === undefined ? {} : { continue: next }) });

describe('a row that an older page shows, and that is gone', () => {
  test.each(['listed', 'followed'])('is no row that a client keeps for ever, where others were %s meanwhile', async (how) => {
    await open();
    const one = await first();
    await nodes.node('node1').delete('c');
    const end = how === 'listed' ? undefined : await follow();
    if (how === 'listed') await nodes.page({ stale: true });
    const two = await rest(one.next);
    expect(two.names).toEqual(['node1/c']);
    expect(await told(two.resourceVersion)).toEqual(['GONE']);
    end?.();
  });

  test.each(['listed', 'followed'])('is told to be gone, where it was kept before the list began (%s)', async (how) => {
    await open();
    const end = how === 'listed' ? undefined : await follow();
    await nodes.page({ stale: true });
    const one = await first();
    await nodes.node('node1').delete('c');
    await nodes.page({ stale: true });
    const two = await rest(one.next);
    expect(two.names).toEqual(['node1/c']);
    expect(await told(two.resourceVersion)).toContain('DELETED node1/c');
    end?.();
  });
});

describe('an older page', () => {
  test('takes nothing back of a list that began later and is half read', async () => {
    await open();
    for (const name of ['d', 'e', 'f']) await nodes.node('node1').put(name, 'one');
    const one = await first();
    await nodes.node('node1').delete('c');
    const later = await nodes.page({ limit: 4, stale: true });
    expect((await rest(one.next)).names).toEqual(['node1/c', 'node1/d']);
    const end = await nodes.page({ limit: 4, stale: true, ...(later.next === undefined ? {} : { continue: later.next }) });
    expect([...later.names, ...end.names]).toEqual(['a', 'b', 'd', 'e', 'f'].map((name) => `node1/${name}`));
    expect(await told(end.resourceVersion)).not.toContain('ADDED node1/c');
    expect(await told(one.resourceVersion)).toEqual(['GONE']);
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Logger } from '../../daemon/src/logging/logger.types.ts';
import { waitFor } from '../wait.ts';
import { collect } from './host/hosts.ts';
import { cut, ECHO, heal, type Site, Sites, settled } from './sites.ts';

let sites: Sites;
beforeEach(() => {
  sites = new Sites();
});
afterEach(() => sites.stop());

async function same(all: readonly Site[], expected: readonly string[]): Promise<void> {
  const wanted = JSON.stringify([...expected].sort());
  await waitFor(async () => (await Promise.all(all.map((site) => site.apps()))).every((apps) => JSON.stringify(apps) === wanted), {
    what: `all to show ${wanted}`,
  });
}

describe('the network', () => {
  it('finds itself again after everybody restarts at once', async () => {
    const before = await sites.domain('a', 'b', 'c');
    for (const site of before) await site.expose('web');
    await same(before, ['a/web', 'b/web', 'c/web']);
    const after = await Promise.all(before.map((site) => sites.restart(site)));
    await settled(after);
    await after[0]?.expose('new');
    await same(after, ['a/new', 'a/web', 'b/web', 'c/web']);
  });

  it('asks a new neighbour for its logs only where they differ', async () => {
    const all = await sites.domain('a', 'b', 'c');
    const pulls = (): number => all.reduce((sum, site) => sum + (site.mesh.counters()['pulls'] ?? 0), 0);
    expect(pulls()).toBe(0);
    const [a] = all;
    if (a === undefined) throw new Error();
    await a.expose('web');
    await same(all, ['a/web']);
    const x = await sites.start('x');
    await x.mesh.join('d', a.address(), await a.token());
    await same([...all, x], ['a/web']);
    expect(x.mesh.counters()['pulls']).toBeGreaterThan(0);
  });

  it('tells of a member whose connection is lost again and again, and does not log each time', async () => {
    const lines: { level: string; message: string }[] = [];
    const keep = (level: string) => (_fields: object, message: string) => void lines.push({ level, message });
    const logger: Logger = { debug() {}, info: keep('info'), warn: keep('warn'), error: keep('error'), child: () => logger };
    const a = await sites.start('a', { logger });
    await a.mesh.create('d');
    let b = await sites.start('b');
    await b.mesh.join('d', a.address(), await a.token());
    await settled([a, b]);
    for (let times = 1; times <= 9; times += 1) {
      b = await sites.restart(b);
      await waitFor(() => a.mesh.counters()['linksLost'] === times, { what: 'a to have lost b' });
      await settled([a, b]);
    }
    expect(a.peer('b').lost).toEqual({ times: 9, withinMs: 600_000 });
    const said = (text: string) => lines.filter(({ message }) => message.startsWith(text)).map(({ level }) => level);
    expect(said('A member is no longer connected')).toEqual(Array(5).fill('info'));
    expect(said('A member is connected')).toEqual(Array(6).fill('info'));
    expect(said('The connection with a member is lost again and again')).toEqual(['warn']);
  });

  it('says which member shows under a name', async () => {
    const [a, b] = await sites.domain('a', 'b');
    if (a === undefined || b === undefined) throw new Error();
    expect(a.mesh.memberNamed('b')).toEqual({ domain: a.view().id, peer: b.view().self });
    expect(a.mesh.memberNamed('a')).toBeUndefined();
    expect(a.mesh.memberNamed('c')).toBeUndefined();
    await a.mesh.removePeer('d', a.peer('b').id);
    expect(a.mesh.memberNamed('b')).toBeUndefined();
  });

  it('carries what was written in both halves of a partition to the other', async () => {
    const all = await sites.domain('a', 'b', 'c', 'x');
    const [a, b, c, x] = all;
    if (a === undefined || b === undefined || c === undefined || x === undefined) throw new Error();
    cut([a, b], [c, x]);
    await waitFor(() => !a.peer('c').connected && !x.peer('b').connected && !a.peer('x').connected && !b.peer('c').connected, {
      what: 'the halves to lose each other',
    });
    await a.expose('left');
    await c.expose('right');
    await same([a, b], ['a/left']);
    await same([c, x], ['c/right']);
    heal(all);
    await same(all, ['a/left', 'c/right']);
    await settled(all);
  });

  it('goes through a member where two cannot reach each other, and takes the direct way when there is one', async () => {
    const a = await sites.start('a');
    await a.mesh.create('d');
    const b = await sites.start('b');
    await b.mesh.join('d', a.address(), await a.token());
    await settled([a, b]);
    const c = await sites.start('c');
    // c joins through b and can never dial a, nor be dialled by it.
    c.cut.add(a.view().self);
    await c.mesh.join('d', b.address(), await a.token());
    a.cut.add(c.view().self);
    await settled([a, b, c]);
    expect(a.peer('c')).toMatchObject({ connected: true, path: 'relayed' });
    expect(a.mesh.directAddresses(a.view().id, a.peer('c').key)).toEqual([]);
    await a.expose('web');
    await same([a, b, c], ['a/web']);
    const stream = await c.mesh.openStream(c.view().id, c.peer('a').key, ECHO);
    stream.end('through b');
    expect((await collect(stream)).toString()).toBe('through b');
    await b.mesh.leave('d');
    await waitFor(() => !a.peer('c').connected, { what: 'the circuit to end with its relay' });
    heal([a, c]);
    await settled([a, c]);
    expect(a.peer('c').path).toBe('direct');
  });

  it('keeps two domains of one node apart', async () => {
    const a = await sites.start('a');
    await a.mesh.create('d');
    await a.mesh.create('e');
    const b = await sites.start('b');
    await b.mesh.join('d', a.address('d'), await a.token({}, 'd'));
    const c = await sites.start('b');
    await c.mesh.join('e', a.address('e'), await a.token({}, 'e'));
    await settled([a, b], 'd');
    await waitFor(() => a.view('e').peers.some(({ connected }) => connected), { what: 'the second domain to be connected' });
    await a.expose('in-d', ['d']);
    await a.expose('in-both', ['d', 'e']);
    await b.expose('from-b', ['d']);
    await c.expose('from-c', ['e']);
    const otherB = a.view('e').peers.find(({ self }) => !self)?.displayName ?? '';
    expect(otherB).toMatch(/^b-[0-9a-f]{6}$/);
    await waitFor(async () => (await a.apps()).length === 4, { what: 'a to show all' });
    expect(await a.apps()).toEqual(['a/in-both', 'a/in-d', 'b/from-b', `${otherB}/from-c`].sort());
    await waitFor(async () => (await b.apps()).length === 3 && (await c.apps()).length === 2, { what: 'the others to show theirs' });
    expect(await b.apps()).toEqual(['a/in-both', 'a/in-d', 'b/from-b']);
    expect(await c.apps()).toEqual(['a/in-both', 'b/from-c']);
    expect(a.view('d').self).not.toBe(a.view('e').self);
    await expect(b.mesh.openStream(c.view('e').id, c.peer('a', 'e').key, ECHO)).rejects.toMatchObject({ code: 'PEER_AWAY' });
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../wait.ts';
import { ECHO, type Site, Sites, settled } from './sites.ts';

let sites: Sites;
beforeEach(() => {
  sites = new Sites();
});
afterEach(() => sites.stop());

async function three(): Promise<[Site, Site, Site]> {
  const [a, b, c] = await sites.domain('a', 'b', 'c');
  if (a === undefined || b === undefined || c === undefined) throw new Error();
  return [a, b, c];
}

async function connected(site: Site, count: number): Promise<void> {
  const links = () => site.view().peers.filter((peer) => peer.connected).length;
  await waitFor(() => links() === count, { what: `${site.name} to have ${count} connections` });
}

describe('a removal', () => {
  it('cuts the member off everywhere, drops its objects, and it learns of it', async () => {
    const [a, b, c] = await three();
    await c.expose('web');
    await waitFor(async () => (await Promise.all([a.apps(), b.apps()])).every((apps) => apps.includes('c/web')), {
      what: 'the app to show',
    });
    const stream = await c.mesh.openStream(c.view().id, c.peer('b').key, ECHO);
    let cut = false;
    stream.on('error', () => {
      cut = true;
    });
    const gone = c.view().self;
    await expect(b.mesh.removePeer('d', a.peer('c').id)).rejects.toMatchObject({ code: 'NOT_FOUNDER' });
    await a.mesh.removePeer('d', a.peer('c').id);
    for (const site of [a, b]) {
      await waitFor(async () => site.view().peers.length === 2 && (await site.apps()).length === 0, {
        what: `${site.name} to have dropped the member`,
      });
    }
    await waitFor(() => cut, { what: 'its stream to be cut' });
    await waitFor(() => c.view().state === 'Removed', { what: 'the removed node to learn of it' });
    expect(c.view().port).toBeUndefined();
    await expect(a.mesh.openStream(a.view().id, gone, ECHO)).rejects.toMatchObject({ code: 'PEER_AWAY' });
    await waitFor(() => a.view().removed[0]?.heardBy.length === 2, { what: 'a to know that b has heard' });
    expect(a.view().removed).toMatchObject([{ name: 'c', left: false }]);
    await waitFor(() => b.view().removed[0]?.heardBy.length === 2, { what: 'b to know that a, which removed it, knows' });
  });

  it('holds against a member that was away, and when the founder is away', async () => {
    const [a, b, c] = await three();
    await c.stop();
    await a.mesh.removePeer('d', a.peer('c').id);
    await waitFor(() => b.view().peers.length === 2, { what: 'b to hear' });
    await a.stop();
    const back = await sites.restart(c);
    await waitFor(() => back.view().state === 'Removed', { what: 'the removed node to be told by b' });
    expect(b.view().peers.some(({ displayName }) => displayName === 'c')).toBe(false);
    const again = await sites.restart(back);
    expect(again.view().state).toBe('Removed');
    await again.mesh.leave('d');
    expect(again.mesh.domains()).toEqual([]);
    expect(await again.disk.rows('k/')).toEqual([]);
  });

  it('lets the node back with a new key and a new invite', async () => {
    const [a, b, c] = await three();
    await a.mesh.removePeer('d', a.peer('c').id);
    await waitFor(() => c.view().state === 'Removed', { what: 'the removed node to learn of it' });
    await a.mesh.freeName('d', 'c');
    await c.mesh.join('d', a.address(), await a.token());
    await settled([a, b, c]);
    await c.expose('web');
    await waitFor(async () => (await b.apps()).includes('c/web'), { what: 'its app to show again' });
  });
});

describe('a newcomer of whom the holder of the root had not heard', () => {
  it('learns that its admission fell with the one who admitted it', async () => {
    const [a, b, c] = await three();
    const token = await a.token();
    await a.stop();
    const late = await sites.start('late');
    await late.mesh.join('d', b.address(), token);
    await connected(late, 2);
    for (const site of [late, b, c]) await site.stop();
    const founder = await sites.restart(a);
    await founder.mesh.removePeer('d', founder.peer('b').id);
    const other = await sites.restart(c);
    await waitFor(() => other.view().peers.length === 2, { what: 'the other member to hear of the removal' });
    const fallen = await sites.restart(late);
    await waitFor(() => fallen.view().state === 'Removed', { what: 'the newcomer to be told' });
    expect(fallen.view().message).toMatch(/^this node's admission does not count: .* join again with a new invite\.$/);
    await fallen.mesh.join('d', founder.address(), await founder.token());
    await settled([founder, other, fallen]);
  });

  it('learns that a rotation left it out', async () => {
    const a = await sites.start('a');
    const { recoveryKey } = await a.mesh.create('d');
    const b = await sites.start('b');
    await b.mesh.join('d', a.address(), await a.token());
    await settled([a, b]);
    const token = await a.token();
    await b.stop();
    const late = await sites.start('late');
    await late.mesh.join('d', a.address(), token);
    await connected(late, 1);
    for (const site of [late, a]) await site.stop();
    const back = await sites.restart(b);
    await back.mesh.rotateRoot('d', recoveryKey);
    const founder = await sites.restart(a);
    await waitFor(() => founder.view().peers.length === 2 && !founder.view().holdsRoot, { what: 'the old root to hear of the new one' });
    const fallen = await sites.restart(late);
    await waitFor(() => fallen.view().state === 'Removed', { what: 'the newcomer to be told' });
  });
});

describe('leaving', () => {
  it('is told to the members, frees the name, and leaves nothing behind', async () => {
    const [a, b, c] = await three();
    await c.expose('web');
    await waitFor(async () => (await a.apps()).includes('c/web'), { what: 'the app to show' });
    await c.mesh.leave('d');
    expect(await c.disk.rows('k/')).toEqual([]);
    expect(await c.disk.rows('d/')).toEqual([]);
    expect(await c.apps()).toEqual(['c/web']);
    for (const site of [a, b]) {
      await waitFor(async () => site.view().peers.length === 2 && (await site.apps()).length === 0, { what: 'the member to be gone' });
    }
    expect(b.view().removed).toMatchObject([{ name: 'c', left: true }]);
    await expect(a.mesh.leave('d')).rejects.toMatchObject({ code: 'CONFLICT' });
    await a.mesh.leave('d', { force: true });
    await waitFor(() => b.view().peers.length === 1, { what: 'b to be alone' });
  });
});

describe('the root', () => {
  it('moves with the recovery key: old invites are void, members stay', async () => {
    const a = await sites.start('a');
    const { recoveryKey } = await a.mesh.create('d');
    const token = await a.token({ uses: 5 });
    const b = await sites.start('b');
    await b.mesh.join('d', a.address(), token);
    await settled([a, b]);
    await a.stop();
    await expect(b.mesh.invite('d')).rejects.toMatchObject({ code: 'NOT_FOUNDER' });
    const next = await b.mesh.rotateRoot('d', recoveryKey);
    expect(next.recoveryKey).not.toBe(recoveryKey);
    expect(b.view().holdsRoot).toBe(true);
    const c = await sites.start('c');
    await expect(c.mesh.join('d', b.address(), token)).rejects.toMatchObject({ code: 'TOKEN_VOID' });
    await c.mesh.join('d', b.address(), await b.token());
    const back = await sites.restart(a);
    await settled([back, b, c]);
    await waitFor(() => !back.view().holdsRoot, { what: 'the old root to know that it is over' });
  });

  it('can be exported and imported', async () => {
    const [a, b] = await three();
    const key = await a.mesh.exportRoot('d');
    await b.mesh.importRoot('d', key);
    await b.mesh.removePeer('d', b.peer('c').id);
    await waitFor(() => a.view().peers.length === 2, { what: 'a to hear of the removal' });
  });
});

import { beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { appDocument, formDomain, serviceDocuments, uriOf } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { addUser, grant, known, revoke, type SiteUser } from '../harness/user.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });
const APP = { kind: 'dtapps.sid.sightlineinnovation.com', name: 'desk' };

describe('an app that asks for a capability', () => {
  let owner: Site;
  let home: Site;
  let ops: SiteUser;
  let uri: string;
  let capability: string;
  let socket: WebSocket;

  beforeAll(async () => {
    [owner, home] = (await stage.current.startAll('owner', 'home')) as [Site, Site];
    await formDomain('office', [owner, home]);
    const origin = await stage.current.origin({ name: 'desk' });
    for (const document of serviceDocuments('desk', origin)) await owner.create(document);
    await owner.create(appDocument('desk', ['office'], 'desk', { authenticationType: 'Capability' }));
    ops = await addUser(home, 'ops');
    uri = await uriOf(home, 'desk', owner);
  });

  async function status(token?: string, at = home): Promise<number> {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await at.fetchUri(uri, { headers })).status;
  }

  /** Opens a WebSocket; or the status with which that was refused. */
  async function connect(token?: string): Promise<WebSocket | number> {
    const target = await home.ingress();
    if (!('host' in target)) throw new Error('a loopback site');
    const headers = { host: new URL(uri).host, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    const opening = new WebSocket(`ws://${target.host}:${target.port}/ws`, { headers });
    return new Promise((resolve, reject) => {
      opening.once('open', () => resolve(opening));
      opening.once('unexpected-response', (_request, response) => {
        resolve(response.statusCode ?? 0);
        response.destroy();
      });
      opening.once('error', reject);
    });
  }

  it('lets nobody in without a token, or with one that is none', async () => {
    expect(await status()).toBe(401);
    expect(await status(`dtkd_${'A'.repeat(43)}`)).toBe(401);
    expect(await connect()).toBe(401);
  });

  it('lets no user in who may not send it requests', async () => {
    expect(await status(ops.token)).toBe(403);
    expect(await connect(ops.token)).toBe(403);
  });

  it('does not take the token of a user of another node', async () => {
    const other = await addUser(owner, 'other');
    await grant(owner, other, ['REQUEST'], APP);
    expect(await status(other.token)).toBe(401);
  });

  it('lets a user in who may', async () => {
    capability = await grant(owner, ops, ['REQUEST'], APP);
    await waitFor(async () => (await status(ops.token)) === 200, { what: 'ops to be let in' });
    const answer = await home.fetchUri(uri, { headers: { authorization: `Bearer ${ops.token}` } });
    expect(answer).toMatchObject({ status: 200, body: 'hello from desk\n' });
    expect(await status()).toBe(401);
  });

  it('lets that user in over a WebSocket, too', async () => {
    const opened = await connect(ops.token);
    if (typeof opened === 'number') throw new Error(`refused with ${opened}`);
    socket = opened;
    const echoed = new Promise((resolve) => socket.once('message', (data) => resolve(String(data))));
    socket.send('anybody there');
    expect(await echoed).toBe('anybody there');
  });

  it('cuts what is under way when the right is revoked', async () => {
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    await revoke(owner, capability);
    await closed;
    expect(await status(ops.token)).toBe(403);
    expect(await connect(ops.token)).toBe(403);
  });

  it('lets nobody in for the name of a user who was removed', async () => {
    await grant(owner, ops, ['REQUEST'], APP);
    await waitFor(async () => (await status(ops.token)) === 200, { what: 'ops to be let in again' });
    await home.delete('user', 'ops');
    expect(await status(ops.token)).toBe(401);
    const again = await addUser(home, 'ops');
    await known(owner, 'user', 'ops@home');
    expect(await status(again.token)).toBe(403);
  });
});

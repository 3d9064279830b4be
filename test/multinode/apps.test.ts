import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appDocument, copyOf, expose, formDomain, serviceDocuments, uriOf } from '../harness/domain.ts';
import type { Origin } from '../harness/origin.ts';
import { freePort } from '../harness/ports.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage();

describe('apps between two sites', () => {
  let owner: Site;
  let user: Site;
  let origin: Origin;
  const checks: string[] = [];
  const authentication = createHttpServer((request, response) => {
    checks.push(String(request.headers['authorization']));
    response.writeHead(request.headers['authorization'] === 'Bearer let-me-in' ? 204 : 401).end();
  });

  beforeAll(async () => {
    [owner, user] = (await stage.current.startAll('owner', 'user')) as [Site, Site];
    await formDomain('shop', [owner, user]);
    origin = await stage.current.origin({ name: 'till' });
    await new Promise<void>((resolve) => authentication.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    authentication.close();
  });

  it('go to the next endpoint when one does not answer', async () => {
    const [service] = serviceDocuments('twice', origin);
    if (service === undefined) throw new Error('no Service');
    await owner.create(service);
    await owner.create({
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'twice' },
      subsets: [
        { addresses: [{ ip: '127.0.0.1' }], ports: [{ port: await freePort() }] },
        { addresses: [{ ip: origin.host }], ports: [{ port: origin.port }] },
      ],
    });
    await owner.create(appDocument('twice', ['shop']));
    const uri = await uriOf(user, 'twice', owner);
    for (let round = 0; round < 3; round += 1) expect(await user.fetchUri(uri)).toMatchObject({ status: 200, body: 'hello from till\n' });
  });

  it('ask the authentication service of a Custom app before each request', async () => {
    for (const document of serviceDocuments('guarded', origin)) await owner.create(document);
    const url = `http://127.0.0.1:${(authentication.address() as AddressInfo).port}/check`;
    await owner.create(appDocument('guarded', ['shop'], 'guarded', { authenticationType: 'Custom', authenticationURL: url }));
    const uri = await uriOf(user, 'guarded', owner);
    expect(await user.fetchUri(uri)).toMatchObject({ status: 401 });
    expect(await user.fetchUri(uri, { headers: { authorization: 'Bearer let-me-in' } })).toMatchObject({
      status: 200,
      body: 'hello from till\n',
    });
    expect(await user.fetchUri(uri, { headers: { authorization: 'Bearer something-else' } })).toMatchObject({ status: 401 });
    expect(checks.length).toBeGreaterThanOrEqual(3);
  });

  it('answer 404 to a Host that is no app, and never reach what nobody shared', async () => {
    await expose(owner, 'plain', origin, 'shop');
    const uri = await uriOf(user, 'plain', owner);
    const unknown = uri.replace(/\/\/[0-9a-f]{4}/, '//0000');
    expect(await user.fetchUri(unknown)).toMatchObject({ status: 404 });
    expect(await user.fetchUri('http://127.0.0.1:1/')).toMatchObject({ status: 404 });
  });

  it('move with their endpoints', async () => {
    const uri = await uriOf(user, 'plain', owner);
    const other = await stage.current.origin({ name: 'new-till' });
    await owner.call(owner.path('endpoints', 'plain'), {
      method: 'PATCH',
      contentType: 'application/merge-patch+json',
      body: { subsets: [{ addresses: [{ ip: other.host }], ports: [{ port: other.port }] }] },
    });
    await waitFor(async () => (await user.fetchUri(uri)).body === 'hello from new-till\n', { what: 'the new endpoint to answer' });
  });

  it('answer with an error of the gateway while their service listens nowhere', async () => {
    await expose(owner, 'nowhere', { host: '127.0.0.1', port: await freePort() }, 'shop');
    const answer = await user.fetchUri(await uriOf(user, 'nowhere', owner));
    expect([502, 503, 504]).toContain(answer.status);
    expect(await copyOf(user, 'nowhere', 'owner')).toBeDefined();
  });

  it('cannot be deleted where they are copies, and the refusal names the owner', async () => {
    const copy = await copyOf(user, 'plain', 'owner');
    const refused = await user.api(user.path('dtapp', String(copy?.metadata.name)), { method: 'DELETE' });
    expect(refused.status).toBe(403);
    expect(JSON.stringify(refused.body)).toContain('owner');
  });

  it('never lead to dtkd itself, and say so also after a restart', async () => {
    const api = await freePort();
    const site = await stage.current.start({ name: 'inward', api: `127.0.0.1:${api}` });
    await formDomain('inward', [site]);
    for (const document of serviceDocuments('self', { host: '127.0.0.1', port: api })) await site.create(document);
    await site.create(appDocument('self', ['inward']));
    const said = { status: 'NoEndpoints', message: expect.stringContaining('a port of dtkd itself') };
    expect(await site.waitForObject('dtapp', 'self', (app) => app['status'] !== undefined)).toMatchObject(said);
    await site.restart();
    // A new app is judged after those that were there.
    await site.create(appDocument('later', ['inward']));
    await site.waitForObject('dtapp', 'later', (app) => app['status'] !== undefined);
    expect(await site.get('dtapp', 'self')).toMatchObject(said);
  });
});

import { describe, expect, it } from 'vitest';
import { objectsOf, placementNodes } from '../../../daemon/src/wiring/instance-ports.ts';
import { OPERATOR, type Principal } from '../../../protocol/rights/principal.ts';
import { object } from '../../catalog/model/fixtures.ts';

const PRINCIPAL: Principal = { type: 'operator', name: OPERATOR };

/** An API that has one Service; without labels it does not know of it, and its owner does. */
function api(labels: Record<string, string> | undefined) {
  const asked: string[] = [];
  const answer = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    asked.push(`${request.method} ${pathname}${search}`);
    if (request.method === 'POST') return Response.json({}, { status: 409 });
    if (request.method === 'GET' && labels === undefined) return Response.json({}, { status: 404 });
    return Response.json({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'shop-web', labels } });
  };
  return { asked, objects: objectsOf({ answer }) };
}

describe('nodes of a service instance', () => {
  it('are members also if nothing can be placed on them', async () => {
    const self = { node: 'node0', self: true, object: object('Node', 'node0'), signingKey: undefined, member: undefined };
    const peers = ['node0', 'node1'].map((displayName) => ({ displayName, address: undefined }));
    const nodes = placementNodes({ list: async () => [self] }, { domains: () => [{ peers }] });
    expect((await nodes.list()).map(({ name }) => name)).toEqual(['node0']);
    expect(await nodes.members()).toEqual(new Set(['node0', 'node1']));
  });
});

describe('objects of a service instance', () => {
  it('are removed, and those of others that bear the name stay', async () => {
    const what = { group: '', plural: 'services', name: 'shop-web', instance: 'shop' };
    const path = '/api/v1/namespaces/node0/services/shop-web';
    const own = api({ 'dtkd.dev/instance': 'shop' });
    await own.objects.remove(PRINCIPAL, 'node0', what);
    expect(own.asked).toEqual([`GET ${path}`, `DELETE ${path}`]);
    for (const labels of [{ 'dtkd.dev/instance': 'other' }, {}]) {
      const foreign = api(labels);
      await foreign.objects.remove(PRINCIPAL, 'node0', what);
      expect(foreign.asked).toEqual([`GET ${path}`]);
    }
  });

  it('are only tried where that is asked for', async () => {
    const { objects, asked } = api({ 'dtkd.dev/instance': 'shop' });
    const metadata = { name: 'shop-web', labels: { 'dtkd.dev/instance': 'shop' } };
    await objects.apply(PRINCIPAL, 'node0', { apiVersion: 'v1', kind: 'Service', metadata }, { dryRun: true });
    const path = '/api/v1/namespaces/node0/services';
    expect(asked).toEqual([`POST ${path}?dryRun=All`, `GET ${path}/shop-web`, `PATCH ${path}/shop-web?dryRun=All`]);
  });

  it('are changed and removed by their owner also where it is not known here that they are there', async () => {
    const metadata = { name: 'shop-web', labels: { 'dtkd.dev/instance': 'shop' } };
    const { asked, objects } = api(undefined);
    await objects.apply(PRINCIPAL, 'node1', { apiVersion: 'v1', kind: 'Service', metadata });
    await objects.remove(PRINCIPAL, 'node1', { group: '', plural: 'services', name: 'shop-web', instance: 'shop' });
    expect(asked.map((line) => line.split(' ')[0])).toEqual(['POST', 'GET', 'PATCH', 'GET', 'DELETE']);
  });
});

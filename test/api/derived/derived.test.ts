import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../wait.ts';
import { FakeAccess } from '../fake-access.ts';
import { NODE, startTestApi, type TestApi, TOKEN } from '../fixtures.ts';

const ENDPOINTS = '/api/v1/namespaces/default/endpoints';
const GROUP = '/apis/discovery.k8s.io/v1';
const SLICES = `${GROUP}/namespaces/default/endpointslices`;
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

let api: TestApi;
const access = new FakeAccess(TOKEN);

const subset = (...ips: string[]) => ({ addresses: ips.map((ip) => ({ ip })), ports: [{ port: 80 }] });
const put = (name: string, ...subsets: object[]) =>
  api.ask('POST', ENDPOINTS, { body: { apiVersion: 'v1', kind: 'Endpoints', metadata: { name, labels: { of: name } }, subsets } });
const patch = (name: string, ...subsets: object[]) =>
  api.ask('PATCH', `${ENDPOINTS}/${name}`, { body: { subsets }, headers: { 'content-type': 'application/merge-patch+json' } });
const names = (body: { items: { metadata: { name: string } }[] }) => body.items.map(({ metadata }) => metadata.name);

beforeAll(async () => {
  api = await startTestApi({ access });
  await put('web', subset('10.0.0.1', '::1'));
  await put('db', subset('10.0.0.2'));
});
afterAll(() => api.close());

describe('EndpointSlices', () => {
  it('are read as if they were stored, at the version of their Endpoints', async () => {
    const source = (await api.ask('GET', `${ENDPOINTS}/web`)).body;
    const one = await api.ask('GET', `${SLICES}/web-ipv6`);
    expect(one.body).toMatchObject({
      kind: 'EndpointSlice',
      metadata: { namespace: NODE, resourceVersion: source.metadata.resourceVersion },
    });
    expect((await api.ask('GET', `${SLICES}/db-ipv6`)).status).toBe(404);
    expect((await api.ask('GET', `${SLICES}/web`)).status).toBe(404);
    const all = await api.ask('GET', SLICES);
    expect(all.body).toMatchObject({ kind: 'EndpointSliceList', apiVersion: 'discovery.k8s.io/v1' });
    expect(names(all.body).sort()).toEqual(['db-ipv4', 'web-ipv4', 'web-ipv6']);
    expect(names((await api.ask('GET', `${GROUP}/endpointslices`)).body)).toHaveLength(3);
    const table = await api.ask('GET', SLICES, { headers: TABLE });
    expect(table.body.rows.map((row: { cells: string[] }) => row.cells.slice(0, 4))).toContainEqual(['db-ipv4', 'IPv4', '80', '10.0.0.2']);
  });

  it('are selected by the service, labels and names, and read in pages', async () => {
    const select = async (query: string) => names((await api.ask('GET', `${SLICES}?${query}`)).body);
    expect(await select('labelSelector=kubernetes.io%2Fservice-name%3Dweb')).toEqual(['web-ipv4', 'web-ipv6']);
    expect(await select('labelSelector=kubernetes.io%2Fservice-name%3Dweb,of%3Ddb')).toEqual([]);
    expect(await select('labelSelector=of+in+(db)')).toEqual(['db-ipv4']);
    expect(await select('fieldSelector=metadata.name%3Dweb-ipv6')).toEqual(['web-ipv6']);
    expect((await api.ask('GET', `${SLICES}?labelSelector=(`)).status).toBe(400);
    const first = await api.ask('GET', `${SLICES}?limit=1`);
    expect(names(first.body)).toEqual(['db-ipv4']);
    expect(await select(`limit=1&continue=${first.body.metadata.continue}`)).toEqual(['web-ipv4', 'web-ipv6']);
  });

  it('cannot be written', async () => {
    expect((await api.ask('POST', SLICES, { body: {} })).status).toBe(405);
    expect((await api.ask('DELETE', `${SLICES}/web-ipv4`)).status).toBe(405);
  });

  it('come, change and go with their Endpoints, also for who watches one service, from a version on', async () => {
    await put('moving', subset('10.0.0.3'));
    const { resourceVersion } = (await api.ask('GET', SLICES)).body.metadata;
    const selector = 'labelSelector=kubernetes.io%2Fservice-name%3Dmoving';
    const watch = await api.watch(`${SLICES}?watch=true&resourceVersion=${resourceVersion}&${selector}`);
    await patch('moving', subset('10.0.0.4', '::2'));
    await patch('moving', subset('::2'));
    await put('other', subset('10.0.0.9'));
    await api.ask('DELETE', `${ENDPOINTS}/moving`);
    await waitFor(() => watch.events.length === 5);
    expect(watch.events.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual([
      'MODIFIED moving-ipv4',
      'ADDED moving-ipv6',
      'DELETED moving-ipv4',
      'MODIFIED moving-ipv6',
      'DELETED moving-ipv6',
    ]);
    const versions = watch.events.map(({ object }) => Number(object.metadata.resourceVersion));
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    watch.stop();
  });

  it('show nothing of a time before a user was granted them', async () => {
    const token = access.addUser('late') && 'token-of-late';
    await put('aged', subset('10.9.9.9'));
    const { resourceVersion } = (await api.ask('GET', SLICES)).body.metadata;
    await patch('aged', subset('10.9.9.8'));
    access.grant({ user: 'late@node0', verbs: ['DISCOVER', 'READ'], plural: 'endpointslices' });
    const exact = `?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`;
    expect((await api.ask('GET', `${SLICES}${exact}`)).status).toBe(200);
    expect((await api.ask('GET', `${SLICES}${exact}`, { token })).status).toBe(410);
  });
});

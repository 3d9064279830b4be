/** The Kubernetes client library, unmodified, against two real daemons: every way of reading and writing that it has and dtkd offers. */
import { ApiException, makeInformer, PatchStrategy, setHeaderOptions, Watch } from '@kubernetes/client-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connected, formDomain } from '../../harness/domain.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { addUser, grant } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';
import { clientOf, type KubernetesClient } from './client.ts';

const stage = useStage();
const GROUP = { group: 'dtkd.dev', version: 'v1' };
const MODELS = { ...GROUP, plural: 'models' };

const listPage = z.object({
  metadata: z.object({ continue: z.string().optional() }),
  items: z.array(z.object({ metadata: z.object({ name: z.string() }) })),
});

let node0: Site;
let node1: Site;
let client: KubernetesClient;
let user: KubernetesClient;

beforeAll(async () => {
  [node0, node1] = (await stage.current.startAll('node0', 'node1')) as [Site, Site];
  await formDomain('clients', [node0, node1]);
  await connected(node0, 'clients', [node0, node1]);
  client = await clientOf(node0);
  const ops = await addUser(node0, 'ops');
  for (const site of [node0, node1]) {
    for (const kind of ['models.dtkd.dev', 'services']) await grant(site, ops, ['READ', 'CREATE', 'UPDATE', 'DELETE'], { kind });
  }
  user = await clientOf(node0, { token: ops.token });
});

async function statusOf(work: Promise<unknown>): Promise<{ code: number; reason: unknown }> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof ApiException)) throw error;
    const body: { reason?: unknown } = typeof error.body === 'string' ? JSON.parse(error.body) : error.body;
    return { code: error.code, reason: body.reason };
  }
  return { code: 200, reason: undefined };
}

describe('kinds that Kubernetes has', () => {
  const namespace = 'node0';
  const body = { metadata: { name: 'web', labels: { tier: 'front' } }, spec: { ports: [{ port: 80, targetPort: 8080 }] } };

  it('are created, read, listed, replaced, patched and deleted', async () => {
    const made = await client.core.createNamespacedService({ namespace, body });
    expect(made.metadata).toMatchObject({ name: 'web', namespace: 'node0', generation: 1, creationTimestamp: expect.any(Date) });
    expect(await statusOf(client.core.createNamespacedService({ namespace, body }))).toEqual({ code: 409, reason: 'AlreadyExists' });
    const read = await client.core.readNamespacedService({ namespace: 'default', name: 'web' });
    expect(read.spec?.ports).toEqual(made.spec?.ports);
    expect((await client.core.listNamespacedService({ namespace, labelSelector: 'tier=front' })).items).toHaveLength(1);
    expect((await client.core.listServiceForAllNamespaces({ fieldSelector: 'metadata.name=none' })).items).toEqual([]);

    const replaced = await client.core.replaceNamespacedService({
      namespace,
      name: 'web',
      body: { ...read, spec: { ports: [{ port: 81 }] } },
    });
    expect(replaced.spec?.ports?.[0]?.port).toBe(81);
    expect(await statusOf(client.core.replaceNamespacedService({ namespace, name: 'web', body: read }))).toEqual({
      code: 409,
      reason: 'Conflict',
    });
    await client.core.deleteNamespacedService({ namespace, name: 'web' });
    expect(await statusOf(client.core.readNamespacedService({ namespace, name: 'web' }))).toEqual({ code: 404, reason: 'NotFound' });
  });

  it.each([
    [PatchStrategy.JsonPatch, [{ op: 'replace', path: '/spec/ports/0/port', value: 82 }]],
    [PatchStrategy.MergePatch, { spec: { ports: [{ port: 82 }] } }],
    [PatchStrategy.StrategicMergePatch, { spec: { ports: [{ $patch: 'replace' }, { port: 82 }] } }],
  ])('take a patch of type %s', async (type, patch) => {
    const name = 'patched';
    await client.core.createNamespacedService({ namespace, body: { ...body, metadata: { name } } });
    const patched = await client.core.patchNamespacedService({ namespace, name, body: patch }, setHeaderOptions('Content-Type', type));
    expect(patched.spec?.ports?.map(({ port }) => port)).toEqual([82]);
    await client.core.deleteNamespacedService({ namespace, name });
  });

  it('refuse server-side apply in a way that the library can read', async () => {
    const apply = client.core.patchNamespacedService(
      { namespace, name: 'applied', body, fieldManager: 'test' },
      setHeaderOptions('Content-Type', PatchStrategy.ServerSideApply),
    );
    expect(await statusOf(apply)).toEqual({ code: 415, reason: 'UnsupportedMediaType' });
  });

  it('include Endpoints, Namespaces and Events', async () => {
    const endpoints = { metadata: { name: 'web' }, subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 8080 }] }] };
    await client.core.createNamespacedEndpoints({ namespace, body: endpoints });
    expect((await client.core.readNamespacedEndpoints({ namespace, name: 'web' })).subsets?.[0]?.addresses?.[0]?.ip).toBe('10.0.0.1');
    await client.core.deleteCollectionNamespacedEndpoints({ namespace });
    expect((await client.core.listNamespacedEndpoints({ namespace })).items).toEqual([]);
    expect((await client.core.listNamespace()).items.map(({ metadata }) => metadata?.name)).toEqual(['node0', 'node1']);
    expect((await client.core.readNamespace({ name: 'default' })).metadata?.name).toBe('node0');
    expect(Array.isArray((await client.core.listEventForAllNamespaces()).items)).toBe(true);
  });
});

describe('kinds that Kubernetes has not', () => {
  const namespace = 'node0';
  const model = (name: string, description = '') => ({
    apiVersion: 'dtkd.dev/v1',
    kind: 'Model',
    metadata: { name, namespace },
    spec: { description },
  });

  it('work by CustomObjectsApi', async () => {
    await client.custom.createNamespacedCustomObject({ ...MODELS, namespace, body: model('shop') });
    const read = await client.custom.getNamespacedCustomObject({ ...MODELS, namespace, name: 'shop' });
    expect(read).toMatchObject({ kind: 'Model', metadata: { name: 'shop' } });
    const patched = await client.custom.patchNamespacedCustomObject(
      { ...MODELS, namespace, name: 'shop', body: { spec: { description: 'merged' } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
    expect(patched).toMatchObject({ spec: { description: 'merged' } });
    const replaced = await client.custom.replaceNamespacedCustomObject({
      ...MODELS,
      namespace,
      name: 'shop',
      body: model('shop', 'replaced'),
    });
    expect(replaced).toMatchObject({ spec: { description: 'replaced' }, metadata: { generation: 3 } });
    expect(await client.custom.listNamespacedCustomObject({ ...MODELS, namespace })).toMatchObject({
      items: [{ metadata: { name: 'shop' } }],
    });
    expect(await client.custom.listClusterCustomObject(MODELS)).toMatchObject({ items: [{ metadata: { name: 'shop' } }] });
    await client.custom.deleteNamespacedCustomObject({ ...MODELS, namespace, name: 'shop' });
    expect(await statusOf(client.custom.getNamespacedCustomObject({ ...MODELS, namespace, name: 'shop' }))).toEqual({
      code: 404,
      reason: 'NotFound',
    });
  });

  it('work by KubernetesObjectApi, which finds them by discovery', async () => {
    const made = await client.objects.create(model('found', 'created'));
    expect(made).toMatchObject({ metadata: { uid: expect.stringMatching(/^[0-9a-f-]{36}$/) } });
    expect(await client.objects.read({ ...model('found'), metadata: { name: 'found', namespace } })).toMatchObject({
      spec: { description: 'created' },
    });
    const patched = await client.objects.patch(
      model('found', 'patched'),
      undefined,
      undefined,
      undefined,
      undefined,
      PatchStrategy.MergePatch,
    );
    expect(patched).toMatchObject({ spec: { description: 'patched' } });
    const replaced = await client.objects.replace({ ...model('found', 'replaced'), metadata: { ...patched.metadata, name: 'found' } });
    expect(replaced).toMatchObject({ spec: { description: 'replaced' } });
    expect((await client.objects.list('dtkd.dev/v1', 'Model', namespace)).items).toHaveLength(1);
    expect(
      (await client.objects.list('dtkd.dev/v1', 'Model', undefined, undefined, undefined, undefined, undefined, undefined, 1)).items,
    ).toHaveLength(1);
    expect(await client.objects.delete(model('found'))).toMatchObject({ status: 'Success' });
    expect((await client.objects.list('dtkd.dev/v1', 'Model')).items).toEqual([]);
  });

  it('are dry-run, page by page listed, and refused with the field that is wrong', async () => {
    await client.objects.create(model('dry'), undefined, 'All');
    expect((await client.objects.list('dtkd.dev/v1', 'Model')).items).toEqual([]);
    for (const name of ['a', 'b', 'c']) await client.objects.create(model(name));
    const names: string[] = [];
    // by CustomObjectsApi: the other drops the token of kinds that it does not know
    for (let next: string | undefined = ''; next !== undefined; ) {
      const more: { _continue?: string } = next === '' ? {} : { _continue: next };
      const page = listPage.parse(await client.custom.listNamespacedCustomObject({ ...MODELS, namespace, limit: 2, ...more }));
      names.push(...page.items.map(({ metadata }) => metadata.name));
      next = page.metadata.continue;
    }
    expect(names).toEqual(['a', 'b', 'c']);
    expect(await statusOf(client.objects.create({ ...model('wrong'), spec: { description: 7 } }))).toEqual({
      code: 422,
      reason: 'Invalid',
    });
    for (const name of ['a', 'b', 'c']) await client.objects.delete(model(name));
  });
});

describe('objects of other nodes', () => {
  it('are written and read by a user to whom that was granted', async () => {
    const body = {
      apiVersion: 'dtkd.dev/v1',
      kind: 'Model',
      metadata: { name: 'there', namespace: 'node1' },
      spec: { description: 'over there' },
    };
    await waitFor(async () => (await statusOf(user.objects.list('dtkd.dev/v1', 'Model', 'node1'))).code === 200, {
      what: 'the grant to count',
    });
    await user.objects.create(body);
    expect((await node1.get('Model', 'there'))?.['spec']).toEqual({ description: 'over there' });
    const all = await user.objects.list('dtkd.dev/v1', 'Model');
    expect(all.items.map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`)).toEqual(['node1/there']);
    await user.objects.delete(body);
    expect(await node1.get('Model', 'there')).toBeUndefined();
  });

  it('are told of by a watch and an informer over all namespaces', async () => {
    const told: string[] = [];
    const watch = new Watch(user.config);
    const stop = await watch.watch(
      '/apis/dtkd.dev/v1/models',
      {},
      (type, object) => told.push(`${type} ${object.metadata.name}`),
      () => {},
    );
    const informer = makeInformer(user.config, '/apis/dtkd.dev/v1/models', () => user.objects.list('dtkd.dev/v1', 'Model'));
    await informer.start();
    for (const site of [node0, node1])
      await site.create({ apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata: { name: `on-${site.name}` } });
    await waitFor(() => informer.list().length === 2 && told.length >= 2, { what: 'both to be told' });
    expect(informer.get('on-node1', 'node1')?.metadata?.namespace).toBe('node1');
    await node1.delete('Model', 'on-node1');
    await waitFor(() => informer.list().length === 1 && told.length >= 3, { what: 'the deletion to be told' });
    expect(told.toSorted()).toEqual(['ADDED on-node0', 'ADDED on-node1', 'DELETED on-node1']);
    await informer.stop();
    stop.abort();
    await node0.delete('Model', 'on-node0');
  });
});

describe('a watch', () => {
  /** Everything that a watch says until it ends by itself. */
  function whole(
    path: string,
    query: Record<string, string | number | boolean>,
  ): Promise<{ events: { type: string; object: Record<string, unknown> }[]; error: unknown }> {
    const events: { type: string; object: Record<string, unknown> }[] = [];
    return new Promise((resolve) => {
      void new Watch(client.config).watch(
        path,
        query,
        (type, object) => events.push({ type, object }),
        (error) => resolve({ events, error }),
      );
    });
  }
  const path = '/apis/dtkd.dev/v1/namespaces/node0/models';

  it('ends after timeoutSeconds, with what there is and the bookmark that says so', async () => {
    await node0.create({ apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata: { name: 'one' } });
    const query = { timeoutSeconds: 3, allowWatchBookmarks: true, sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' };
    const { events, error } = await whole(path, query);
    expect(error).toBeFalsy();
    expect(events.map(({ type }) => type)).toEqual(['ADDED', 'BOOKMARK']);
    expect(events[1]?.object).toMatchObject({ kind: 'Model', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } });
  });

  it('from a version that is gone, or was never there, says 410', async () => {
    const { events } = await whole(path, { resourceVersion: '1' });
    expect(events).toMatchObject([{ type: 'ERROR', object: { code: 410, reason: 'Expired' } }]);
  });

  it('that is asked for what cannot be is refused', async () => {
    const { error } = await whole(path, { resourceVersionMatch: 'NotOlderThan', resourceVersion: '1' });
    expect(error).toMatchObject({ statusCode: 422 });
  });
});

/** kubectl delete in all its forms, against a real daemon: waiting, finalizers, what goes with what, trials. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type Kubectl, kubectlOf, NO_KUBECTL } from '../../harness/kubectl.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { waitFor } from '../../wait.ts';

const stage = useStage();

interface OwnerSaid {
  name: string;
  uid: string;
  block?: boolean;
}

function service(
  name: string,
  { owners = [], labels = {}, finalizers = [] }: { owners?: OwnerSaid[]; labels?: object; finalizers?: string[] } = {},
) {
  const ownerReferences = owners.map(({ name: owner, uid, block }) => ({
    apiVersion: 'v1',
    kind: 'Service',
    name: owner,
    uid,
    ...(block === true ? { blockOwnerDeletion: true } : {}),
  }));
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, labels, finalizers, ownerReferences }, spec: { ports: [{ port: 80 }] } };
}

describe.skipIf(NO_KUBECTL)(`deleting with kubectl${NO_KUBECTL === undefined ? '' : ` (SKIPPED: ${NO_KUBECTL})`}`, () => {
  let site: Site;
  let kubectl: Kubectl;

  beforeAll(async () => {
    site = await stage.current.start({ name: 'node0' });
    kubectl = await kubectlOf(site);
  });

  const create = (...documents: object[]) => kubectl.send({ apiVersion: 'v1', kind: 'List', items: documents }, 'create', '-f', '-');
  const names = async () =>
    (await kubectl.out('get', 'services', '-o', 'name'))
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  const uidOf = (name: string) => kubectl.out('get', 'service', name, '-o', 'jsonpath={.metadata.uid}');
  const unhold = (name: string) =>
    kubectl.out('patch', 'service', name, '--type=json', '-p', '[{"op":"remove","path":"/metadata/finalizers"}]');
  const gone = (name: string) => waitFor(async () => !(await names()).includes(`service/${name}`), { what: `${name} to be gone` });

  it('deletes a model by file in one pass for each level, whatever stands first', async () => {
    const object = (kind: string, name: string, spec: object) => ({ apiVersion: 'dtkd.dev/v1', kind, metadata: { name }, spec });
    const items = [
      object('Model', 'port', {}),
      object('Type', 'crane', { name: 'Crane' }),
      object('Resource', 'crane', { model: 'port', type: 'Crane' }),
      object('Resource', 'hook', { model: 'port', type: 'Crane', parents: ['crane'] }),
    ];
    const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    await kubectl.with({ stdin }, 'create', '-f', '-');
    const pass = () => kubectl.with({ stdin }, 'delete', '-f', '-', '--ignore-not-found');
    const first = await pass();
    expect(first).toMatchObject({ code: 1, stdout: 'resource.dtkd.dev "hook" deleted\n' });
    for (const what of ['Model "port"', 'Type "crane"', 'Resource "crane"']) expect(first.stderr).toContain(`${what} cannot be deleted`);
    expect(await pass()).toMatchObject({ code: 1, stdout: 'resource.dtkd.dev "crane" deleted\n' });
    expect(await pass()).toMatchObject({ code: 0, stdout: 'model.dtkd.dev "port" deleted\ntype.dtkd.dev "crane" deleted\n' });
    expect(await pass()).toMatchObject({ code: 0, stdout: '' });
  });

  it('deletes by name, by selector, by file, and what is not there only if told so', async () => {
    await create(service('a'), service('b', { labels: { tier: 'x' } }), service('c', { labels: { tier: 'x' } }), service('d'));
    expect(await kubectl.out('delete', 'service', 'a')).toBe('service "a" deleted\n');
    expect((await kubectl.out('delete', 'services', '-l', 'tier=x')).split('\n').sort().join()).toBe(
      ',service "b" deleted,service "c" deleted',
    );
    expect(await kubectl.send(service('d'), 'delete', '-f', '-')).toBe('service "d" deleted\n');
    expect(await names()).toEqual([]);
    const again = await kubectl.run('delete', 'service', 'a');
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('services "a" not found') });
    expect((await kubectl.run('delete', 'service', 'a', '--ignore-not-found')).code).toBe(0);
  });

  it('tries without any effect', async () => {
    await create(service('kept', { finalizers: ['example.com/hold'] }));
    const before = await kubectl.out('get', 'service', 'kept', '-o', 'yaml');
    expect(await kubectl.out('delete', 'service', 'kept', '--dry-run=server')).toBe('service "kept" deleted (server dry run)\n');
    await kubectl.out('delete', 'services', '--all', '--dry-run=server', '--cascade=foreground');
    for (const line of [
      ['label', 'service', 'kept', 'x=y'],
      ['annotate', 'service', 'kept', 'x=y'],
      ['patch', 'service', 'kept', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'],
    ]) {
      await kubectl.out(...line, '--dry-run=server');
    }
    await kubectl.send(service('other'), 'create', '-f', '-', '--dry-run=server');
    await kubectl.send(service('kept'), 'replace', '-f', '-', '--dry-run=server');
    expect(await kubectl.out('get', 'service', 'kept', '-o', 'yaml')).toBe(before);
    expect(await names()).toEqual(['service/kept']);
    await unhold('kept');
    await kubectl.out('delete', 'service', 'kept', '--now');
    expect(await names()).toEqual([]);
  });

  it('waits for finalizers, or does not', async () => {
    await create(service('held', { finalizers: ['example.com/hold'] }));
    const impatient = await kubectl.run('delete', 'service', 'held', '--timeout=1s');
    expect(impatient).toMatchObject({ code: 1, stderr: expect.stringContaining('timed out waiting for the condition on services/held') });
    expect(await kubectl.out('delete', 'service', 'held', '--wait=false')).toBe('service "held" deleted\n');
    expect(
      await kubectl.out('get', 'service', 'held', '-o', 'jsonpath={.metadata.deletionTimestamp} {.metadata.deletionGracePeriodSeconds}'),
    ).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ 0$/);
    const more = await kubectl.run(
      'patch',
      'service',
      'held',
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":["example.com/hold","example.com/more"]}}',
    );
    expect(more).toMatchObject({ code: 1, stderr: expect.stringContaining('no finalizer can be added while the object is being deleted') });
    const bare = await kubectl.with({ stdin: JSON.stringify(service('bare', { finalizers: ['hold'] })) }, 'create', '-f', '-');
    expect(bare).toMatchObject({ code: 1, stderr: expect.stringContaining('metadata.finalizers') });

    const waiting = kubectl.start('wait', '--for=delete', 'service/held', '--timeout=300s');
    const deleting = kubectl.start('delete', 'service', 'held');
    // it says so once it was deleted, and then waits for it to be gone
    await deleting.output(/^service "held" deleted/m);
    await unhold('held');
    expect(await waiting.exited).toMatchObject({ code: 0 });
    expect(await deleting.exited).toMatchObject({ code: 0 });
    expect(await names()).toEqual([]);
  });

  it('replaces by force', async () => {
    await create(service('forced'));
    const before = await uidOf('forced');
    expect(await kubectl.send(service('forced'), 'replace', '--force', '-f', '-')).toContain('service/forced replaced');
    expect(await uidOf('forced')).not.toBe(before);
    expect((await kubectl.run('delete', 'service', 'forced', '--force', '--grace-period=0')).code).toBe(0);
  });

  it('takes dependents along: after the owner, before it, or not at all', async () => {
    await create(service('back'), service('fore'), service('free'));
    const [back, fore, free] = await Promise.all(['back', 'fore', 'free'].map(uidOf));
    await create(
      service('of-back', { owners: [{ name: 'back', uid: back ?? '' }] }),
      service('of-fore', { owners: [{ name: 'fore', uid: fore ?? '', block: true }], finalizers: ['example.com/hold'] }),
      service('of-free', { owners: [{ name: 'free', uid: free ?? '' }] }),
      service('of-both', {
        owners: [
          { name: 'back', uid: back ?? '' },
          { name: 'free', uid: free ?? '' },
        ],
      }),
    );
    await kubectl.out('delete', 'service', 'back');
    await gone('of-back');

    await kubectl.out('delete', 'service', 'fore', '--cascade=foreground', '--wait=false');
    await kubectl.out('wait', '--for=jsonpath={.metadata.deletionTimestamp}', 'service/of-fore', '--timeout=300s');
    expect(await kubectl.out('get', 'service', 'fore', '-o', 'jsonpath={.metadata.finalizers}')).toBe('["foregroundDeletion"]');
    await unhold('of-fore');
    await kubectl.out('wait', '--for=delete', 'service/fore', '--timeout=300s');
    expect(await names()).not.toContain('service/of-fore');

    await kubectl.out('delete', 'service', 'free', '--cascade=orphan');
    expect(await names()).toEqual(['service/of-both', 'service/of-free']);
    expect(await kubectl.out('get', 'services', '-o', 'jsonpath={.items[*].metadata.ownerReferences}')).toBe('');
    await kubectl.out('delete', 'services', '--all');
  });

  it('goes on after a restart', async () => {
    await create(service('owner'));
    await create(
      service('child', { owners: [{ name: 'owner', uid: await uidOf('owner'), block: true }], finalizers: ['example.com/hold'] }),
    );
    await kubectl.out('delete', 'service', 'owner', '--cascade=foreground', '--wait=false');
    await site.restart();
    kubectl = await kubectlOf(site);
    await unhold('child');
    await kubectl.out('wait', '--for=delete', 'service/owner', '--timeout=300s');
    expect(await names()).toEqual([]);
  });

  it('shows whatever is refused, with what to do', async () => {
    const model = { apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata: { name: 'm' }, spec: {} };
    const part = (name: string, parents: string[], owners: object[] = []) => ({
      apiVersion: 'dtkd.dev/v1',
      kind: 'Resource',
      metadata: { name, ownerReferences: owners },
      spec: { model: 'm', type: 'Service', parents },
    });
    await create(model, part('up', []), part('down', ['up']));
    const refused = await kubectl.run('delete', 'resource', 'up');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('down') });

    await create(service('owner'));
    const reference = { apiVersion: 'v1', kind: 'Service', name: 'owner', uid: await uidOf('owner') };
    await kubectl.out('patch', 'resource', 'up', '--type=merge', '-p', JSON.stringify({ metadata: { ownerReferences: [reference] } }));
    await kubectl.out('delete', 'service', 'owner');
    await waitFor(async () => (await kubectl.out('describe', 'resource', 'up')).includes('GarbageRefused'), { what: 'the Event' });
    await kubectl.out('delete', 'resource', 'down');
    await kubectl.out('wait', '--for=delete', 'resource/up', '--timeout=300s');
  });
});

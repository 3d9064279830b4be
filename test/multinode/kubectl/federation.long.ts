import { beforeAll, describe, expect, it } from 'vitest';
import { formDomain } from '../../harness/domain.ts';
import { type Kubectl, kubectlOf, NO_KUBECTL } from '../../harness/kubectl.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { addUser, grant, modelDocument, resourceDocument, type SiteUser } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';

const stage = useStage({ story: true });

const linesOf = (text: string): string[] => text.trimEnd().split('\n');
const NAMES = ['-o', 'custom-columns=NODE:.metadata.namespace,NAME:.metadata.name', '--no-headers'];
const cells = (text: string): string[] => linesOf(text).map((line) => line.split(/\s+/).join('/'));
const document = (name: string, description: string): Record<string, unknown> => modelDocument(name, { description });

describe.skipIf(NO_KUBECTL)(`kubectl over nodes${NO_KUBECTL === undefined ? '' : ` (SKIPPED: ${NO_KUBECTL})`}`, () => {
  let sites: [Site, Site, Site];
  let ops: SiteUser;
  let operator: Kubectl;
  let kubectl: Kubectl;

  beforeAll(async () => {
    sites = (await stage.current.startAll('node0', 'node1', 'node2')) as [Site, Site, Site];
    const [node0, node1, node2] = sites;
    await formDomain('mydomain', sites);
    for (const site of sites) {
      await site.create(document('web', `of ${site.name}`));
      await site.create(resourceDocument('web.front', { model: 'web', type: 'Service', name: 'front' }, { tier: 'front' }));
    }
    ops = await addUser(node0, 'ops');
    await grant(node0, ops, ['READ'], { kind: 'dtpeers.sid.sightlineinnovation.com' });
    await grant(node0, ops, ['READ'], { kind: 'models.dtkd.dev' });
    await grant(node1, ops, ['READ'], { kind: 'dtpeers.sid.sightlineinnovation.com' });
    await grant(node1, ops, ['READ', 'CREATE', 'UPDATE', 'DELETE'], { kind: 'models.dtkd.dev' });
    await grant(node1, ops, ['READ'], { kind: 'resources.dtkd.dev', labelSelector: 'tier=front' });
    await grant(node2, ops, ['DISCOVER'], { kind: 'models.dtkd.dev' });
    [operator, kubectl] = await Promise.all([kubectlOf(node0), kubectlOf(node0, { token: ops.token })]);
  });

  it('an operator sees its own node, and is told why not the others', async () => {
    const { code, stdout, stderr } = await operator.run('get', 'models', '-A', ...NAMES);
    expect([code, cells(stdout)]).toEqual([0, ['node0/web']]);
    expect(stderr).toMatch(/^Warning: node1, node2 were not asked: the operator's token is valid only on this node.*\n$/);
  });

  it('a user sees what each node has granted to it, and what was not is a warning', async () => {
    const [models, resources, columns] = await Promise.all([
      kubectl.run('get', 'models', '-A', ...NAMES),
      kubectl.run('get', 'resources', '-A', '-l', 'tier=front', ...NAMES),
      kubectl.out('get', 'models', '-A', '--no-headers'),
    ]);
    expect(models).toMatchObject({ code: 0, stderr: '' });
    expect(cells(models.stdout)).toEqual(['node0/web', 'node1/web', 'node2/web']);
    expect([resources.code, cells(resources.stdout)]).toEqual([0, ['node1/web.front']]);
    expect(resources.stderr).toMatch(/^Warning: node2 denied the request: .*\n$/);
    // DISCOVER shows the name alone
    expect(linesOf(columns).map((line) => line.split(/ {3,}/)[2])).toEqual(
      ['of node0', 'of node1', '', ''].slice(0, 2).concat(expect.stringMatching(/s$/)),
    );
  });

  it('shows how each node sees its peers, together or one by one', async () => {
    const [all, one] = await Promise.all([
      kubectl.run('get', 'dtpeers', '-A', ...NAMES),
      kubectl.run('get', 'dtpeers', '-n', 'node1', '-o', 'wide'),
    ]);
    expect(all.code).toBe(0);
    expect(cells(all.stdout).map((row) => row.split('/')[0])).toEqual([...Array(3).fill('node0'), ...Array(3).fill('node1')]);
    expect(all.stderr).toMatch(/^Warning: node2 denied the request: .*\n$/);
    expect(one).toMatchObject({ code: 0, stderr: '' });
    expect(one.stdout).toMatch(/ node1\.dtkd\.localhost .* self /);
  });

  it('reads page by page over nodes', async () => {
    const { code, stdout, stderr } = await kubectl.run('get', 'models', '-A', '--chunk-size=1', ...NAMES, '-v=6');
    expect(code).toBe(0);
    expect(cells(stdout).filter((row) => row.endsWith('/web'))).toEqual(['node0/web', 'node1/web', 'node2/web']);
    expect((stderr.match(/GET .*limit=1/g) ?? []).length).toBeGreaterThanOrEqual(3);
  });

  it('writes at the owner, who decides', async () => {
    const [, node1] = sites;
    const there = ['-n', 'node1'];
    expect(await kubectl.send(document('far', 'made from node0'), 'apply', ...there, '-f', '-')).toBe('model.dtkd.dev/far created\n');
    expect(await kubectl.send(document('far', 'changed from node0'), 'apply', ...there, '-f', '-')).toBe('model.dtkd.dev/far configured\n');
    await kubectl.out('label', 'model', 'far', 'by=ops', ...there);
    await kubectl.out(
      'patch',
      'model',
      'far',
      '--type=json',
      '-p',
      '[{"op": "add", "path": "/metadata/annotations/note", "value": "x"}]',
      ...there,
    );
    expect(await node1.get('model', 'far')).toMatchObject({
      metadata: { namespace: 'node1', labels: { by: 'ops' }, annotations: { note: 'x' } },
      spec: { description: 'changed from node0' },
    });
    expect(await kubectl.out('get', 'model', 'far', ...there, '-o', 'jsonpath={.metadata.uid}')).toBe(
      (await node1.get('model', 'far'))?.metadata.uid,
    );
    const refused = await kubectl.run('delete', 'model', 'web', '-n', 'node2');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('(Forbidden)') });
    const unseen = await kubectl.run('get', 'resource', 'web.front', '-n', 'node2');
    expect(unseen).toMatchObject({ code: 1, stderr: expect.stringMatching(/\((NotFound|Forbidden)\)/) });
    await kubectl.out('delete', 'model', 'far', ...there);
    expect(await node1.get('model', 'far')).toBeUndefined();
  });

  it('follows all nodes with -w -A, and an absent one is a warning and never an error', async () => {
    const [, node1] = sites;
    const watch = kubectl.start('get', 'models', '-A', '-w', '--output-watch-events', '--no-headers');
    try {
      await watch.output(/^ADDED +node1 +web /m);
      await node1.create(document('later', 'while watched'));
      await watch.output(/^ADDED +node1 +later +while watched/m);
      await node1.stop();
      const lists = await waitFor(
        async () => {
          const ran = await kubectl.run('get', 'models', '-A', ...NAMES);
          return /Warning: node1 /.test(ran.stderr) ? ran : undefined;
        },
        { what: 'a warning of node1' },
      );
      expect([lists.code, cells(lists.stdout)]).toEqual([0, ['node0/web', 'node2/web']]);
      expect(linesOf(lists.stderr)).toEqual([expect.stringMatching(/^Warning: node1 .*$/)]);
      const [own, gone] = await Promise.all([
        kubectl.run('get', 'dtpeers', '-n', 'node1'),
        kubectl.with({ stdin: JSON.stringify(document('late', 'x')) }, 'create', '-n', 'node1', '-f', '-'),
      ]);
      expect(own.code).toBe(0);
      expect(own.stderr).toMatch(/^Warning: node1 /);
      expect(gone).toMatchObject({ code: 1, stderr: expect.stringMatching(/\(ServiceUnavailable\).*node1/) });
      // nothing is said to be gone because its node is
      expect(watch.stdout).not.toContain('DELETED');
      await node1.start();
      await waitFor(async () => cells((await kubectl.run('get', 'models', '-A', ...NAMES)).stdout).includes('node1/later'), {
        what: 'node1 to answer again',
      });
      await node1.create(document('again', 'after its return'));
      await watch.output(/^ADDED +node1 +again +after its return/m);
      expect([watch.running, watch.stdout.includes('DELETED')]).toEqual([true, false]);
    } finally {
      await watch.end('SIGKILL');
    }
  });
});

import { beforeAll, describe, expect, it } from 'vitest';
import { KINDS } from '../../../protocol/kinds/index.ts';
import { appDocument, serviceDocuments } from '../../harness/domain.ts';
import { type Kubectl, kubectlOf, NO_KUBECTL } from '../../harness/kubectl.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { modelDocument } from '../../harness/user.ts';

const stage = useStage();

/** The cells of what kubectl prints; columns stand at least three blanks apart. */
const rowsOf = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd().split(/ {3,}/));

const linesOf = (text: string): string[] => text.trimEnd().split('\n');

describe.skipIf(NO_KUBECTL)(`reading with kubectl${NO_KUBECTL === undefined ? '' : ` (SKIPPED: ${NO_KUBECTL})`}`, () => {
  let site: Site;
  let kubectl: Kubectl;

  beforeAll(async () => {
    site = await stage.current.start({ name: 'node0' });
    for (let number = 1; number <= 5; number += 1) {
      const model = modelDocument(`m${number}`, { description: `number ${9 - number}` });
      await site.create({ ...model, metadata: { name: `m${number}`, labels: { odd: String(number % 2 === 1), tier: `t${number}` } } });
    }
    for (const document of serviceDocuments('wiki', { host: '10.1.2.3', port: 12_345 })) await site.create(document);
    await site.create(appDocument('wiki', ['mydomain']));
    await site.waitForObject('dtapp', 'wiki', (app) => app['status'] === 'NoDomain' && typeof app['URI'] === 'string');
    kubectl = await kubectlOf(site);
  });

  it('shows tables: the name first, the age last, more with -o wide', async () => {
    const [plain, wide, bare] = await Promise.all([
      kubectl.out('get', 'dtapps'),
      kubectl.out('get', 'dtapp', 'wiki', '-o', 'wide'),
      kubectl.out('get', 'models', '--no-headers'),
    ]);
    expect(rowsOf(plain)).toEqual([
      ['NAME', 'APP', 'OWNER', 'STATUS', 'URI', 'AGE'],
      [
        'wiki',
        'wiki',
        'node0',
        'NoDomain',
        expect.stringMatching(/^http:\/\/[0-9a-f]{32}\.node0\.dtkd\.localhost:\d+$/),
        expect.stringMatching(/^\d+s$/),
      ],
    ]);
    expect(rowsOf(wide)[0]).toEqual(['NAME', 'APP', 'OWNER', 'STATUS', 'URI', 'DOMAINS', 'MESSAGE', 'AGE']);
    expect(rowsOf(bare).map(([name]) => name)).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);
  });

  it('shows events as kubectl does, without names that say nothing', async () => {
    const table = rowsOf(await kubectl.out('get', 'events'));
    expect(table[0]).toEqual(['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE']);
    expect(table.map((row) => row.slice(1, 4))).toContainEqual(['Normal', 'Started', 'node/node0']);
  });

  it('has a table of every kind', async () => {
    const kinds = KINDS.filter(({ verbs }) => verbs.includes('list')).map(({ plural, group }) =>
      group === '' ? plural : `${plural}.${group}`,
    );
    const { code, stderr } = await kubectl.run('get', kinds.join(','), '-o', 'wide');
    expect([code, stderr]).toEqual([0, '']);
  });

  it('writes json, yaml and names', async () => {
    const [json, yaml, names] = await Promise.all([
      kubectl.out('get', 'model', 'm1', '-o', 'json'),
      kubectl.out('get', 'models', '-o', 'yaml'),
      kubectl.out('get', 'models', '-o', 'name'),
    ]);
    expect(JSON.parse(json)).toMatchObject({
      kind: 'Model',
      metadata: { name: 'm1', namespace: 'node0' },
      spec: { description: 'number 8' },
    });
    expect(yaml).toMatch(/^apiVersion: v1\nitems:\n- apiVersion: dtkd\.dev\/v1\n {2}kind: Model\n/);
    expect(linesOf(names)).toEqual(['m1', 'm2', 'm3', 'm4', 'm5'].map((name) => `model.dtkd.dev/${name}`));
  });

  it('takes fields out with jsonpath, custom columns and templates', async () => {
    const [path, columns, template] = await Promise.all([
      kubectl.out('get', 'models', '-o', 'jsonpath={range .items[*]}{.metadata.name}={.spec.description};{end}'),
      kubectl.out('get', 'models', 'm1', 'm2', '-o', 'custom-columns=NAME:.metadata.name,TIER:.metadata.labels.tier'),
      kubectl.out('get', 'models', '-o', 'go-template={{range .items}}{{.metadata.name}} {{end}}'),
    ]);
    expect(path).toBe('m1=number 8;m2=number 7;m3=number 6;m4=number 5;m5=number 4;');
    expect(rowsOf(columns)).toEqual([
      ['NAME', 'TIER'],
      ['m1', 't1'],
      ['m2', 't2'],
    ]);
    expect(template).toBe('m1 m2 m3 m4 m5 ');
  });

  it('sorts by a field, and shows labels', async () => {
    const [sorted, shown, columns] = await Promise.all([
      kubectl.out('get', 'models', '--sort-by=.spec.description', '--no-headers'),
      kubectl.out('get', 'model', 'm2', '--show-labels'),
      kubectl.out('get', 'models', '-L', 'tier', '--no-headers'),
    ]);
    expect(rowsOf(sorted).map(([name]) => name)).toEqual(['m5', 'm4', 'm3', 'm2', 'm1']);
    expect(rowsOf(shown)[1]?.at(-1)).toBe('odd=false,tier=t2');
    expect(rowsOf(columns).map((row) => row.at(-1))).toEqual(['t1', 't2', 't3', 't4', 't5']);
  });

  it('selects by labels and fields', async () => {
    const names = ['-o', 'name'];
    const [equal, sets, present, field, status, refused] = await Promise.all([
      kubectl.out('get', 'models', '-l', 'odd=true', ...names),
      kubectl.out('get', 'models', '-l', 'tier in (t1,t2),odd!=true', ...names),
      kubectl.out('get', 'models', '-l', 'tier,!other,tier notin (t1)', ...names),
      kubectl.out('get', 'models', '--field-selector', 'metadata.name!=m3', ...names),
      kubectl.out('get', 'dtapps', '--field-selector', 'status=NoDomain', ...names),
      kubectl.run('get', 'models', '--field-selector', 'spec.colour=red'),
    ]);
    const models = (...numbers: number[]) => numbers.map((number) => `model.dtkd.dev/m${number}`);
    expect(linesOf(equal)).toEqual(models(1, 3, 5));
    expect(linesOf(sets)).toEqual(models(2));
    expect(linesOf(present)).toEqual(models(2, 3, 4, 5));
    expect(linesOf(field)).toEqual(models(1, 2, 4, 5));
    expect(linesOf(status)).toEqual(['dtapp.sid.sightlineinnovation.com/wiki']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('These can: metadata.name, metadata.namespace.');
  });

  it('shows several kinds at once, by any of their names', async () => {
    const [lists, objects, all] = await Promise.all([
      kubectl.out('get', 'dtapps,services'),
      kubectl.out('get', 'app/wiki', 'svc/wiki', 'ep/wiki', '-o', 'name'),
      kubectl.out('get', 'dtapp,model', '-A', '-o', 'name'),
    ]);
    expect(rowsOf(lists).map(([name]) => name)).toEqual(['NAME', 'dtapp.sid.sightlineinnovation.com/wiki', '', 'NAME', 'service/wiki']);
    expect(linesOf(objects)).toEqual(['dtapp.sid.sightlineinnovation.com/wiki', 'service/wiki', 'endpoints/wiki']);
    expect(linesOf(all)).toHaveLength(6);
  });

  it('reads page by page', async () => {
    const { code, stdout, stderr } = await kubectl.run('get', 'models', '--chunk-size=2', '-o', 'name', '-v=6');
    expect(code).toBe(0);
    expect(linesOf(stdout).filter((line) => line.startsWith('model'))).toHaveLength(5);
    expect(stderr.match(/GET .*limit=2.* 200 OK/g)).toHaveLength(3);
  });

  it('says what is not there, or keeps quiet about it', async () => {
    const [absent, ignored, some, none, kind, node] = await Promise.all([
      kubectl.run('get', 'model', 'nothing'),
      kubectl.run('get', 'model', 'nothing', '--ignore-not-found'),
      kubectl.run('get', 'models', 'nothing', 'm1', '-o', 'name'),
      kubectl.run('get', 'trusts'),
      kubectl.run('get', 'pods'),
      kubectl.run('get', 'models', '-n', 'node9'),
    ]);
    expect(absent).toMatchObject({ code: 1, stderr: expect.stringContaining('(NotFound): models "nothing" not found') });
    expect(ignored).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(some).toMatchObject({ code: 1, stdout: 'model.dtkd.dev/m1\n' });
    expect(none).toMatchObject({ code: 0, stderr: 'No resources found in node0 namespace.\n' });
    expect(kind.stderr).toContain(`the server doesn't have a resource type "pods"`);
    expect(node).toMatchObject({ code: 0, stderr: expect.stringContaining('Warning: no node "node9" is known here') });
  });

  it('follows changes with -w, as rows, events and objects', async () => {
    const rows = kubectl.start('get', 'models', '-w', '-l', 'watched', '--no-headers');
    const events = kubectl.start(
      'get',
      'models',
      '-w',
      '--watch-only',
      '--output-watch-events',
      '-o',
      'jsonpath={.type} {.object.metadata.name}{"\\n"}',
      '-l',
      'watched',
    );
    const one = kubectl.start('get', 'model', 'm1', '-w', '-o', 'jsonpath={.metadata.labels.tier}{"\\n"}');
    try {
      await one.output(/^t1$/m);
      const made = { ...modelDocument('seen', { description: 'by watches' }), metadata: { name: 'seen', labels: { watched: 'yes' } } };
      // both watches begin at some moment after their start, so the object is there before or after
      await site.create(made);
      await rows.output(/^seen +by watches +\d+s$/m);
      await events.until(
        async () => {
          if (/MODIFIED/.test(events.stdout)) return true;
          const path = site.path('model', 'seen');
          await site.call(path, {
            method: 'PATCH',
            body: { spec: { description: `at ${Date.now()}` } },
            contentType: 'application/merge-patch+json',
          });
          return false;
        },
        { what: 'the watch to see a change' },
      );
      await site.call(site.path('model', 'm1'), {
        method: 'PATCH',
        body: { metadata: { labels: { tier: 'other' } } },
        contentType: 'application/merge-patch+json',
      });
      await one.output(/^other$/m);
      await site.delete('model', 'seen');
      await events.output(/^DELETED seen$/m);
    } finally {
      await Promise.all([rows, events, one].map((child) => child.end('SIGKILL')));
    }
  });

  it('lists what there is: kinds, versions, raw answers, the server', async () => {
    const [resources, wide, versions, raw, health, version, info] = await Promise.all([
      kubectl.out('api-resources', '--api-group=sid.sightlineinnovation.com'),
      kubectl.out('api-resources', '--verbs=list,watch', '-o', 'name'),
      kubectl.out('api-versions'),
      kubectl.out('get', '--raw', site.path('model', 'm1')),
      kubectl.out('get', '--raw', '/healthz'),
      kubectl.out('version', '-o', 'json'),
      kubectl.out('cluster-info'),
    ]);
    expect(rowsOf(resources)).toEqual([
      ['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND'],
      ['dtapps', 'dta,app,apps', 'sid.sightlineinnovation.com/v1', 'true', 'dtApp'],
      ['dtdomains', 'dtd,domain,domains', 'sid.sightlineinnovation.com/v1', 'true', 'dtDomain'],
      ['dtpeers', 'dtp,peer,peers', 'sid.sightlineinnovation.com/v1', 'true', 'dtPeer'],
    ]);
    for (const { plural, group } of KINDS) expect(linesOf(wide)).toContain(group === '' ? plural : `${plural}.${group}`);
    expect(linesOf(versions)).toEqual(expect.arrayContaining(['dtkd.dev/v1', 'sid.sightlineinnovation.com/v1', 'v1']));
    expect(JSON.parse(raw)).toMatchObject({ kind: 'Model', metadata: { name: 'm1' } });
    expect(health).toBe('ok');
    expect(JSON.parse(version)).toMatchObject({ serverVersion: { gitVersion: expect.stringMatching(/^v1\.\d+\.\d+\+dtkd\./) } });
    expect(info).toContain(site.apiUrl);
  });

  it('knows the node by its name and as default', async () => {
    const [named, asDefault, nodes, spaces] = await Promise.all([
      kubectl.out('get', 'models', '-n', 'node0', '-o', 'name'),
      kubectl.out('get', 'models', '-n', 'default', '--no-headers'),
      kubectl.out('get', 'nodes.dtkd.dev', '-o', 'name'),
      kubectl.out('get', 'ns', '-o', 'name'),
    ]);
    expect(linesOf(named)).toHaveLength(5);
    expect(linesOf(asDefault)).toHaveLength(5);
    expect([nodes, spaces]).toEqual(['node.dtkd.dev/node0\n', 'namespace/node0\n']);
  });
});

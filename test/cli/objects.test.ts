import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DtkdError } from '../../protocol/errors.ts';
import { dtAppKind } from '../../protocol/kinds/dtapp.ts';
import { dtDomainKind } from '../../protocol/kinds/dtdomain.ts';
import { endpointsKind } from '../../protocol/kinds/endpoints.ts';
import { nodeKind } from '../../protocol/kinds/node.ts';
import { serviceKind } from '../../protocol/kinds/service.ts';
import { FakeDaemon, type Scripted } from './fake-daemon.ts';

const SERVICE = `apiVersion: v1
kind: Service
metadata:
  name: example-service
spec:
  ports:
    - protocol: TCP
      port: 8080
      targetPort: 12345
`;
const ENDPOINTS = `apiVersion: v1
kind: Endpoints
metadata:
  name: example-service
subsets:
  - addresses: [{ip: 10.1.2.3}]
    ports: [{port: 12345}]
`;

describe('commands about objects', () => {
  let daemon: FakeDaemon;
  beforeAll(async () => {
    daemon = await FakeDaemon.start();
    daemon.put(dtDomainKind, 'mydomain', { status: 'Ready', peers: ['a'.repeat(32), 'b'.repeat(32)], founder: 'node0' });
    for (let index = 0; index < 3; index += 1) {
      daemon.put(dtAppKind, `app${index}`, { status: 'Ready', spec: {} }, { labels: { tier: index === 0 ? 'front' : 'back' } });
    }
  });
  afterAll(() => daemon.stop());

  it('get prints the table of the daemon', async () => {
    const { code, stdout } = await daemon.cli('get', 'dtdomains');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^NAME\s+STATUS\s+PEERS\s+AGE\nmydomain\s+Ready\s+2\s+\d+d\n$/);
  });

  it('get -A -o wide adds namespaces and columns', async () => {
    const { stdout } = await daemon.cli('get', 'domain', '-A', '-o', 'wide');
    expect(stdout).toMatch(/^NAMESPACE\s+NAME\s+STATUS\s+PEERS\s+FOUNDER\s+MESSAGE\s+AGE\nnode0\s+mydomain/);
  });

  it('get selects, limits and prints names', async () => {
    const [names, limited] = await Promise.all([
      daemon.cli('get', 'dtapps', '-l', 'tier=back', '-o', 'name'),
      daemon.cli('get', 'dtapps', '--limit', '2', '-o', 'name'),
    ]);
    expect(names.stdout).toBe('dtapp.sid.sightlineinnovation.com/app1\ndtapp.sid.sightlineinnovation.com/app2\n');
    expect(limited.stdout.trim().split('\n')).toHaveLength(2);
  });

  it('get -o json and yaml print one object, or a List', async () => {
    const [one, several] = await Promise.all([
      daemon.cli('get', 'dtdomain/mydomain', '-o', 'yaml'),
      daemon.cli('get', 'dtapps', '-o', 'json'),
    ]);
    expect(one.stdout).toMatch(/^apiVersion: sid\.sightlineinnovation\.com\/v1\nkind: dtDomain\n/);
    expect(JSON.parse(several.stdout)).toMatchObject({ kind: 'List', items: [{ kind: 'dtApp' }, { kind: 'dtApp' }, { kind: 'dtApp' }] });
  });

  it('get tells what is missing, shows the rest, and exits with its code', async () => {
    const { code, stdout, stderr } = await daemon.cli('get', 'dtapp', 'app0', 'absent');
    expect(code).toBe(5);
    expect(stdout).toContain('app0');
    expect(stderr).toBe('error: dtapps "absent" not found\nnext: Look at the list.\n');
  });

  it('get of nothing says so beside the output', async () => {
    expect(await daemon.cli('get', 'endpoints')).toEqual({ code: 0, stdout: '', stderr: 'No endpoints found.\n' });
    daemon.put(nodeKind, 'node7', {});
    expect((await daemon.cli('get', 'endpoints', '-n', 'node7')).stderr).toBe('No endpoints of node7 found.\n');
    const named = await daemon.cli('get', 'endpoints', 'absent');
    expect(named).toMatchObject({ code: 5, stderr: expect.not.stringContaining('found.') });
  });

  it('get takes the one node that was asked and did not answer for away, not for empty', async () => {
    daemon.put(nodeKind, 'node8', {});
    const completeness = [{ node: 'node8', state: 'unreachable', reason: 'no answer within 2 s' }];
    const answer = (more: object) => () => ({ metadata: { resourceVersion: '1', completeness }, ...more });
    const table = { apiVersion: 'meta.k8s.io/v1', kind: 'Table', columnDefinitions: [{ name: 'Name', type: 'string' }] };
    daemon.script('GET', /\/namespaces\/node8\/endpoints$/, answer({ ...table, rows: [] }));
    const shown = await daemon.cli('get', 'endpoints', '-n', 'node8');
    expect(shown).toMatchObject({
      code: 7,
      stdout: '',
      stderr: expect.stringMatching(/^error: .*node8 did not answer.*no answer within 2 s/),
    });
    expect(shown.stderr).not.toContain('found.');
    daemon.script('GET', /\/namespaces\/node8\/endpoints$/, answer({ items: [] }));
    expect(await daemon.cli('get', 'endpoints', '-n', 'node8', '-o', 'json')).toMatchObject({ code: 7, stdout: '' });
  });

  it('get takes nodes that were not asked for none that answered, in every form', async () => {
    const completeness = ['node1', 'node2'].map((node) => ({ node, state: 'unasked', reason: 'for a reason' }));
    const metadata = { resourceVersion: '1', completeness };
    const table = { apiVersion: 'meta.k8s.io/v1', kind: 'Table', columnDefinitions: [{ name: 'Name', type: 'string' }], rows: [] };
    const answer: Scripted = ({ headers }) =>
      (headers.accept ?? '').includes('as=Table') ? { ...table, metadata } : { items: [], metadata };
    daemon.script('GET', /\/v1\/resources$/, answer);
    daemon.script('GET', /\/namespaces\/node1\/resources$/, answer);
    const stderr = expect.stringContaining('node1, node2 were not asked: for a reason\n');
    const all = ['get', 'resources', '-A', '--require-complete'];
    expect(await daemon.cli(...all)).toMatchObject({ code: 3, stderr });
    const json = await daemon.cli(...all, '-o', 'json');
    expect(json).toMatchObject({ code: 3, stderr });
    expect(JSON.parse(json.stdout)).toMatchObject({ items: [], metadata });
    const one = await daemon.cli('get', 'resources', '-n', 'node1');
    expect(one).toMatchObject({ code: 4, stderr: 'error: it is not known which resources node1 has: node1 was not asked: for a reason\n' });
  });

  it('get takes what its limit has cut off for missing', async () => {
    daemon.script('GET', /\/v1\/types$/, () => ({
      items: [{ metadata: { name: 'a' } }],
      metadata: { continue: 'more', completeness: [] },
    }));
    const cut = await daemon.cli('get', 'types', '-A', '--limit', '1', '--require-complete', '-o', 'json');
    expect(cut).toMatchObject({ code: 3, stderr: expect.stringContaining('The list ends at its limit') });
  });

  it('watch prints what is there and each change', async () => {
    daemon.script('GET', /\/dtdomains$/, ({ query }) => {
      if (query.get('watch') === 'true') return { lines: events() };
      return { metadata: { resourceVersion: '40' }, items: [] };
    });
    const { code, stdout, stderr } = await daemon.cli('watch', 'dtdomains', '-o', 'json');
    expect(stdout).toBe(`${JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'x' } } })}\n`);
    expect({ code, stderr }).toMatchObject({ code: 4, stderr: 'error: no longer allowed\n' });
  });

  it('apply creates, changes and leaves alone, and goes on over documents', async () => {
    const file = join(daemon.dir, 'docs.yaml');
    await writeFile(file, [SERVICE, 'apiVersion: v1\nkind: Nothing\nmetadata: {name: x}\n', ENDPOINTS].join('---\n'));
    const first = await daemon.cli('apply', '-f', file);
    expect(first).toMatchObject({ code: 2, stdout: 'service/example-service created\nendpoints/example-service created\n' });
    expect(first.stderr).toContain('error: Nothing x: there is no kind "Nothing" in apiVersion "v1"');
    const again = await daemon.cliWith({ stdin: SERVICE }, 'apply', '-f', '-');
    expect(again).toMatchObject({ code: 0, stdout: 'service/example-service unchanged\n' });
    const changed = await daemon.cliWith({ stdin: SERVICE.replace('8080', '80') }, 'apply', '-f', '-');
    expect(changed).toMatchObject({ code: 0, stdout: 'service/example-service configured\n' });
    expect(daemon.object(serviceKind, 'example-service')).toMatchObject({ spec: { ports: [{ port: 80 }] } });
  });

  it('writes ask the daemon to refuse fields that it does not know', async () => {
    expect(await daemon.cliWith({ stdin: SERVICE.replace('example-service', 'strict') }, 'apply', '-f', '-')).toMatchObject({ code: 0 });
    const post = daemon.asked.findLast(({ method, path }) => method === 'POST' && path.endsWith('/services'));
    expect(post?.query.get('fieldValidation')).toBe('Strict');
  });

  it('apply --dry-run changes nothing', async () => {
    const document = SERVICE.replace('example-service', 'dry');
    expect(await daemon.cliWith({ stdin: document }, 'apply', '-f', '-', '--dry-run')).toMatchObject({
      code: 0,
      stdout: 'service/dry created (dry run)\n',
    });
    expect(daemon.object(serviceKind, 'dry')).toBeUndefined();
  });

  it('apply shows warnings of the daemon, such as a recovery key', async () => {
    daemon.warnings = ['Recovery key of other: dtkd-recovery-1-abc'];
    const document = 'apiVersion: sid.sightlineinnovation.com/v1\nkind: dtDomain\nmetadata: {name: other}\n';
    const { stderr } = await daemon.cliWith({ stdin: document }, 'apply', '-f', '-');
    daemon.warnings = [];
    expect(stderr).toBe('warning: Recovery key of other: dtkd-recovery-1-abc\n');
  });

  it('apply --wait fails with the reason of the daemon', async () => {
    daemon.put(dtDomainKind, 'far', { status: 'Failed', message: 'the token expired 2 hours ago' });
    const document = 'apiVersion: sid.sightlineinnovation.com/v1\nkind: dtDomain\nmetadata: {name: far}\n';
    daemon.script('GET', /\/dtdomains$/, () => ({
      lines: (async function* () {
        yield { type: 'ADDED', object: daemon.object(dtDomainKind, 'far') };
      })(),
    }));
    const { code, stderr } = await daemon.cliWith({ stdin: document }, 'apply', '-f', '-', '--wait', '5s');
    expect(code).toBe(7);
    expect(stderr).toContain('failed: the token expired 2 hours ago');
  });

  it('create refuses what is there, with the field that is wrong', async () => {
    const [there, wrong] = await Promise.all([
      daemon.cliWith({ stdin: 'apiVersion: sid.sightlineinnovation.com/v1\nkind: dtApp\nmetadata: {name: app0}\n' }, 'create', '-f', '-'),
      daemon.cliWith({ stdin: SERVICE.replace('8080', '"http"').replace('example-service', 'bad') }, 'create', '-f', '-'),
    ]);
    expect(there).toMatchObject({ code: 6, stderr: expect.stringContaining('already exists') });
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('spec.ports.0.port') });
  });

  it('patch sends the patch as it is', async () => {
    const result = await daemon.cli('patch', 'dtapp', 'app0', '-p', '{"spec":{"authenticationType":"None"}}');
    expect(result).toMatchObject({ code: 0, stdout: 'dtapp.sid.sightlineinnovation.com/app0 patched\n' });
    expect(daemon.asked.at(-1)).toMatchObject({ method: 'PATCH', headers: { 'content-type': 'application/merge-patch+json' } });
    expect(await daemon.cli('patch', 'dtapp', 'app0', '-p', '{')).toMatchObject({ code: 2 });
  });

  it('edit writes back what the editor leaves, and nothing if that is the same', async () => {
    daemon.put(endpointsKind, 'edited', { subsets: [] });
    const edit = (script: string) => daemon.cliWith({ env: { EDITOR: script, VISUAL: '' } }, 'edit', 'ep', 'edited');
    expect(await edit('true')).toMatchObject({ code: 0, stderr: 'Nothing was changed.\n' });
    expect(await edit(`sed -i 's/^subsets: .*/subsets: [{addresses: [{ip: 10.0.0.9}]}]/'`)).toMatchObject({ code: 0 });
    expect(daemon.object(endpointsKind, 'edited')).toMatchObject({ subsets: [{ addresses: [{ ip: '10.0.0.9' }] }] });
    expect(await edit('false')).toMatchObject({ code: 2, stderr: expect.stringContaining('EDITOR') });
  });

  it('edit shows a refusal and its reason again', async () => {
    daemon.put(endpointsKind, 'twice', { subsets: [] });
    let refusals = 0;
    daemon.script('PUT', /\/endpoints\/twice$/, () => {
      refusals += 1;
      throw new DtkdError('INVALID', 'subsets.0.addresses.0.ip: must be an address', { next: 'Write an address.' });
    });
    const seen = join(daemon.dir, 'seen');
    const editor = join(daemon.dir, 'editor.sh');
    // Changes the text once; when it is shown again it only keeps what it sees.
    await writeFile(editor, `grep -q '^# The daemon refused' "$1" && cp "$1" ${seen} || sed -i 's/^subsets: .*/subsets: [{}]/' "$1"\n`);
    const result = await daemon.cliWith({ env: { EDITOR: `sh ${editor}`, VISUAL: '' } }, 'edit', 'ep/twice');
    expect(refusals).toBe(1);
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('must be an address') });
    expect(await readFile(seen, 'utf8')).toContain('# subsets.0.addresses.0.ip: must be an address\n# next: Write an address.\n');
  });

  it('edit gives up with an editor that saves the same refused text, or for ever another one', async () => {
    daemon.put(endpointsKind, 'stubborn', { subsets: [] });
    daemon.script('PUT', /\/endpoints\/stubborn$/, () => {
      throw new DtkdError('INVALID', 'subsets.0: no');
    });
    const edit = (script: string) => daemon.cliWith({ env: { EDITOR: script, VISUAL: '' } }, 'edit', 'ep/stubborn');
    const refused = { code: 2, stderr: expect.stringContaining('subsets.0: no') };
    expect(await edit(`sed -i 's/^# .*/#/; s/^subsets: .*/subsets: [{}]/'`)).toMatchObject(refused);
    expect(await edit(`sed -i '$a x: 1' -e 's/^x:/xx:/'`)).toMatchObject({ code: 2 });
  });

  it('delete by name, by label, and of what is not there', async () => {
    expect(await daemon.cli('delete', 'dtapp', 'app1')).toMatchObject({
      code: 0,
      stdout: 'dtapp.sid.sightlineinnovation.com/app1 deleted\n',
    });
    expect(await daemon.cli('delete', 'dtapps', '-l', 'tier=back')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('app2 deleted'),
    });
    const [absent, ignored, unnamed] = await Promise.all([
      daemon.cli('delete', 'dtapp', 'app1'),
      daemon.cli('delete', 'dtapp', 'app1', '--ignore-not-found'),
      daemon.cli('delete', 'dtapps'),
    ]);
    expect([absent.code, ignored.code, unnamed.code]).toEqual([5, 0, 2]);
    expect(daemon.object(dtAppKind, 'app0')).toBeDefined();
  });

  it('describe shows fields and events', async () => {
    const { stdout } = await daemon.cli('describe', 'dtdomain', 'mydomain');
    expect(stdout).toMatch(/^Name: {9}mydomain\nNamespace: {4}node0\n/);
    expect(stdout).toContain(`Peers:\n  ${'a'.repeat(32)}\n`);
    expect(stdout).toContain('Events:       <none>');
  });

  describe('where another node did not answer', () => {
    beforeAll(() => {
      const completeness = [{ node: 'node9', state: 'unreachable', reason: 'it could not be reached' }];
      const script = (path: RegExp, answer: object) => daemon.script('GET', path, () => answer);
      script(/\/namespaces\/node9\/(models|resources|executions|tasks|events)$/, { items: [], metadata: { completeness } });
      script(/\/v1\/(executions|tasks)$/, { items: [], metadata: { completeness } });
      script(/\/namespaces\/node9\/models\/shop$/, { metadata: { name: 'shop', namespace: 'node9' } });
      script(/\/nodes\/node9$/, { metadata: { name: 'node9' } });
    });

    it.each([
      ['describe', 'models', '-n', 'node9'],
      ['delete', 'models', '--all', '-n', 'node9'],
      ['model', 'export', 'shop', '-n', 'node9'],
      ['executions', 'ls', '-n', 'node9'],
      ['service', 'tasks', '-n', 'node9', '-o', 'json'],
    ])('%s %s %s says so and fails, and takes nothing for nothing', async (...args) => {
      const { code, stdout, stderr } = await daemon.cli(...args);
      expect([code, stdout]).toEqual([7, '']);
      expect(stderr).toMatch(/^error: it is not known which \w+ node9 has: node9 did not answer/);
    });

    it.each([
      [[], undefined],
      [['--changes'], 'true'],
    ])('watch %s says whom it waits for, and goes on', async (flags, stale) => {
      const completeness = [{ node: 'node9', state: 'unreachable', reason: 'it could not be reached' }];
      daemon.script('GET', /\/namespaces\/node9\/types$/, ({ query }) =>
        query.get('watch') === 'true' ? { lines: events() } : { items: [], metadata: { resourceVersion: '40', completeness } },
      );
      const { code, stdout, stderr } = await daemon.cli('watch', 'types', '-n', 'node9', '-o', 'json', ...flags);
      expect([code, stdout]).toEqual([4, expect.stringContaining('ADDED')]);
      expect(stderr).toMatch(/^node9 did not answer.*it could not be reached\nWaiting for node9: .*\nerror: no longer allowed\n$/);
      expect(daemon.asked.findLast(({ query }) => query.get('watch') === null)?.query.get('stale') ?? undefined).toBe(stale);
    });

    it('watch waits for nobody who is not asked', async () => {
      const completeness = [{ node: 'node9', state: 'unasked', reason: 'for a reason' }];
      daemon.script('GET', /\/namespaces\/node9\/tasks$/, () => ({ items: [], metadata: { completeness } }));
      expect(await daemon.cli('watch', 'tasks', '-n', 'node9', '-o', 'json')).toEqual({
        code: 4,
        stdout: '',
        stderr: 'error: it is not known which tasks node9 has: node9 was not asked: for a reason\n',
      });
    });

    it('lists over all nodes say so, in JSON as well', async () => {
      for (const args of [
        ['executions', 'ls', '-A', '-o', 'json'],
        ['service', 'tasks', '-A', '-o', 'json'],
      ]) {
        const { code, stdout, stderr } = await daemon.cli(...args);
        expect([code, stderr]).toEqual([0, expect.stringContaining('node9 did not answer')]);
        expect(JSON.parse(stdout)).toMatchObject({ metadata: { completeness: [{ node: 'node9' }] } });
      }
    });

    it.each([
      ['model', 'shop', '-n', 'node9'],
      ['node', 'node9'],
    ])('describe %s %s does not say that there are no events', async (...args) => {
      const { stdout } = await daemon.cli('describe', ...args);
      expect(stdout).toMatch(/Events: +<it is not known which events node9 has: node9 did not answer/);
    });
  });
});

async function* events(): AsyncGenerator<unknown> {
  yield { type: 'ADDED', object: { metadata: { name: 'x' } } };
  yield { type: 'BOOKMARK', object: { metadata: { resourceVersion: '42' } } };
  yield { type: 'ERROR', object: { kind: 'Status', code: 403, reason: 'Forbidden', message: 'no longer allowed' } };
}

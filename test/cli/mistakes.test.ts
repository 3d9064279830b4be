/** What people get wrong at the command line, and what it says then. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorOfStatus } from '../../cli/client/status-error.ts';
import { shownResource, shownType } from '../../cli/output/effective.ts';
import { statusOf } from '../../daemon/src/api/request/status.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { capabilityKind } from '../../protocol/kinds/capability.ts';
import { modelKind } from '../../protocol/kinds/model.ts';
import { nodeKind } from '../../protocol/kinds/node.ts';
import { resourceKind } from '../../protocol/kinds/resource.ts';
import { shareKind } from '../../protocol/kinds/share.ts';
import { trustKind } from '../../protocol/kinds/trust.ts';
import { typeKind } from '../../protocol/kinds/type.ts';
import { userKind } from '../../protocol/kinds/user.ts';
import { FakeDaemon } from './fake-daemon.ts';

describe('mistakes at the command line', () => {
  let daemon: FakeDaemon;
  beforeAll(async () => {
    daemon = await FakeDaemon.start();
    daemon.put(nodeKind, 'node0', { status: {} });
    for (const name of ['shop', 'warehouse']) daemon.put(modelKind, name, {});
    daemon.put(typeKind, 'webserver', { spec: { name: 'WebServer' } });
  });
  afterAll(() => daemon.stop());

  it('an expression without quotes is put together again', async () => {
    const { code, stderr } = await daemon.cli('get', 'resources', '--where', 'type=Host', 'and', 'model=lab');
    expect(code).toBe(2);
    expect(stderr).toContain("next: Put the expression into quotes: --where 'type=Host and model=lab'\n");
  });

  it('a node that nobody knows has not simply nothing', async () => {
    daemon.script('GET', /\/namespaces\/node9\/models$/, () => ({ kind: 'Table', metadata: {}, columnDefinitions: [], rows: [] }));
    expect(await daemon.cli('get', 'models', '-n', 'node9')).toEqual({
      code: 5,
      stdout: '',
      stderr: 'error: no node "node9" is known here\nnext: See "dtkd get nodes".\n',
    });
  });

  it('-n before or after a command that knows no nodes is refused, not ignored', async () => {
    for (const args of [
      ['-n', 'node1', 'status'],
      ['can', 'me', 'READ', 'models', '-n', 'node1'],
    ]) {
      const { code, stderr } = await daemon.cli(...args);
      expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('takes no -n\nnext: Run it on node1.\n') });
    }
  });

  it('a program that must come first is told with the data directory that was given', async () => {
    for (const [args, line] of [
      [['--data', '/srv/my node', 'restore', 'a.dtkd-backup'], "dtkd restore a.dtkd-backup --data '/srv/my node'"],
      [['--data=./a', 'up', '--name', 'site-a'], 'dtkd up --name site-a --data ./a'],
      [['--ca', 'ca.pem', 'up', '--data', './a'], 'dtkd up --data ./a'],
    ] as const) {
      const { code, stderr } = await daemon.cli(...args);
      expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(`next: Write: ${line}. See `) });
    }
  });

  it('an empty name is no path to something else', async () => {
    const before = daemon.asked.length;
    const commands = [
      ['service', 'task', 'show', ''],
      ['service', 'task', 'follow', ''],
      ['service', 'status', ''],
      ['service', 'status', 'shop', '-n', ''],
      ['converge', '..', '--yes'],
      ['get', 'models', ''],
      ['delete', 'model', ''],
      ['domain', 'revoke', 'acme', ''],
    ];
    for (const args of commands) {
      const { code, stderr } = await daemon.cli(...args);
      expect({ args, code, stderr }).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^(.*\n)?error: a name cannot be empty or only dots\nnext: /),
      });
    }
    expect(daemon.asked.slice(before)).toEqual([]);
    expect((await daemon.cli('service', 'task', 'cancel', '')).stderr).toContain('"dtkd get tasks" lists');
  });

  it('a kind that stands for a command leads to its objects', async () => {
    const { code, stderr } = await daemon.cli('resource', 'tag', 'web', 'web');
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('next: See "dtkd get resources", "dtkd edit resource NAME", or "dtkd --help".'),
    });
  });

  it('what another tool calls otherwise leads to what does it here', async () => {
    expect((await daemon.cli('domain', 'remove', 'node2')).stderr).toContain(
      'next: See "dtkd delete dtpeer NODE", or "dtkd domain --help".',
    );
    expect((await daemon.cli('diff', '-f', 'x.yaml')).stderr).toContain('next: See "dtkd apply -f FILE --dry-run", or "dtkd --help".');
    expect((await daemon.cli('constructor')).stderr).toContain('next: See "dtkd --help".');
  });

  it('what is no name of a module is not asked for', async () => {
    const { code, stderr } = await daemon.cli('module', 'fetch', 'web');
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('error: "web" is not the name of a module\nnext: Write it'),
    });
  });

  it('what cannot be changed is not edited in vain', async () => {
    const { code, stderr } = await daemon.cliWith({ env: { EDITOR: 'false' } }, 'edit', 'capability', 'c-1');
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: capabilities cannot be edited\nnext: Their verbs are: get/),
    });
  });

  it('delete takes an expression instead of names, not beside them', async () => {
    expect(await daemon.cli('delete', 'models', 'shop', '--where', 'name=shop')).toMatchObject({ code: 2 });
    const { code } = await daemon.cli('delete', 'resources', '--where', 'model=old');
    expect({ code, where: daemon.asked.at(-1)?.query.get('where') }).toEqual({ code: 0, where: 'model=old' });
  });

  it('says how to write what was written otherwise', async () => {
    daemon.put(userKind, 'known', {});
    for (const [args, error, next] of [
      [
        ['domain', 'join', '@invite.token', '192.0.2.10'],
        'the address of a member comes before the token',
        'dtkd domain join ADDRESS TOKEN',
      ],
      [
        ['domain', 'join', 'A'.repeat(400), '192.0.2.10'],
        'the address of a member comes before the token',
        'dtkd domain join ADDRESS TOKEN',
      ],
      [['app', 'expose', 'Wiki', '--to', '8080'], '"Wiki" cannot be the name of an app', 'such as wiki'],
      [['user', 'add', 'known'], 'there is a user "known" on this node', 'dtkd user rotate known'],
      [['edit', 'model'], 'name one object', 'dtkd get models'],
      [['stage', 'web:single'], '"web:single" is not MODULE:ASSEMBLY', 'acme/web:web-tier'],
      [['run', 'Start', 'clock', '--', '-zone', 'UTC'], 'too many arguments', '--set NAME=VALUE'],
      [['secret', 'set', 'pw', 'hunter2'], 'too many arguments', 'in a command line others could see it'],
      [['service', 'exec', 'shop', 'web', 'Restart'], 'too many arguments', 'COMPONENT.COMMAND'],
      [['get', 'models', '-o', 'jsonpath={.items}'], 'is invalid', 'kubectl'],
      [['module', 'validate', 'package.json'], 'cannot read package.json: it is not a directory', 'Name the directory that it is in: .'],
      [['module', 'install', 'nowhere'], 'cannot read nowhere: it is not there', 'Name a directory'],
      [['apply', '-f', 'examples/models/rundeck-resources.json'], 'a document must be an object', 'dtkd model import'],
    ] as const) {
      const { code, stderr } = await daemon.cli(...args);
      expect({ args, code, stderr }).toMatchObject({ code: args[0] === 'user' ? 6 : 2, stderr: expect.stringContaining(error) });
      expect(stderr.slice(stderr.indexOf('next: '))).toContain(next);
    }
  });

  it('what every list says of a node is said once for all kinds', async () => {
    const table = { kind: 'Table', metadata: { completeness: [{ node: 'node1', state: 'unasked', message: 'only users are asked' }] } };
    daemon.script('GET', /^\/apis\/dtkd\.dev\/v1\/(releases|assemblies)$/, () => ({ ...table, columnDefinitions: [], rows: [] }));
    const { stderr } = await daemon.cli('get', 'releases,assemblies', '-A');
    expect(stderr.match(/node1/g)).toHaveLength(1);
  });

  it('delete takes what a file describes away the last of it first: what stands later needs what stands before it', async () => {
    const stdin =
      'apiVersion: dtkd.dev/v1\nkind: Model\nmetadata: {name: m}\n---\napiVersion: dtkd.dev/v1\nkind: Resource\nmetadata: {name: r}\n';
    const before = daemon.writes().length;
    await daemon.cliWith({ stdin }, 'delete', '-f', '-');
    const paths = daemon.writes().slice(before);
    expect(paths.map((path) => path.split('/').slice(-2).join('/'))).toEqual(['resources/r', 'models/m']);
  });

  it('what would choose among all objects is refused beside names, not ignored', async () => {
    const before = daemon.asked.length;
    for (const [args, what] of [
      [['get', 'models', 'shop', '-l', 'tier=front'], '-l chooses among all objects, and cannot be given with names'],
      [['get', 'models/shop', '--field-selector', 'metadata.name=x'], '--field-selector chooses'],
      [['get', 'models', 'shop', '--limit', '1'], '--limit chooses'],
      [['describe', 'models', 'shop', '-l', 'tier=front'], '-l chooses'],
      [['describe', 'models', 'shop', '-A'], 'a name belongs to one node'],
      [['delete', '-f', 'shop.yaml', '-l', 'tier=front'], '-l chooses among all objects, and cannot be given with -f'],
      [['get', 'models', '-w', '--limit', '1'], 'a list that is followed has no end'],
    ] as const) {
      const { code, stderr } = await daemon.cli(...args);
      expect({ args, code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(`error: ${what}`) });
    }
    expect(daemon.asked.length).toBe(before);
  });

  it('a document that lacks what names it is told by where it stands', async () => {
    const stdin = 'apiVersion: v1\nkind: Service\nmetadata: {nam: x}\n---\nmetadata: {name: y}\n---\nkind: Model\nmetadata: {name: z}\n';
    for (const command of ['apply', 'create'])
      expect((await daemon.cliWith({ stdin }, command, '-f', '-')).stderr).toContain(
        'error: standard input:5: the document has no kind\nnext: See "dtkd api-resources" for every kind.\n' +
          'error: Model z: the document has no apiVersion\nnext: Write apiVersion: dtkd.dev/v1, kind: Model.\n',
      );
    const nameless = 'error: standard input:1: a document of kind Service has no metadata.name\n';
    for (const command of ['apply', 'delete']) expect((await daemon.cliWith({ stdin }, command, '-f', '-')).stderr).toContain(nameless);
    expect((await daemon.cliWith({ stdin: '' }, 'apply', '-f', '-')).stderr).toMatch(
      /^error: there is no document in standard input\nnext: /,
    );
  });

  it('objects that are named line up in one table', async () => {
    expect((await daemon.cli('get', 'models', 'shop', 'warehouse')).stdout).toMatch(/\nshop {8}.*\nwarehouse {3}/);
  });

  it('a resource that is not there is looked for by what it is called', async () => {
    const absent = new DtkdError('NOT_FOUND', 'resources "www1" not found', { details: { kind: resourceKind.plural, name: 'www1' } });
    daemon.script('GET', /\/resources\/www1$/, () => {
      throw absent;
    });
    expect((await daemon.cli('get', 'resource', 'www1')).stderr).toContain(`dtkd get resources --where 'name="www1"'`);
  });

  it('an app that is not there is looked for by what it is called', async () => {
    daemon.script('GET', /\/dtapps\/wiki$/, () => {
      throw new DtkdError('NOT_FOUND', 'dtapps "wiki" not found', { details: { kind: 'dtapps', name: 'wiki' } });
    });
    expect((await daemon.cli('describe', 'dtapp', 'wiki')).stderr).toContain('has its own name here: dtkd app show wiki');
  });

  it('a refusal says each thing once', async () => {
    const message = '"ops" is not written as USER@NODE';
    daemon.script('POST', /\/trusts$/, () => {
      throw new DtkdError('INVALID', message, { details: { causes: [{ field: 'spec.members', message }] } });
    });
    expect((await daemon.cli('trust', 'create', 'research', '--member', 'ops')).stderr).toBe(`error: ${message}\n`);
  });

  it('what a daemon says to do is told apart from what is wrong, also where it has a line of its own', () => {
    for (const message of ['it is in use', 'it is in use. Really', 'cannot be read:\n  type=\n       ^']) {
      const status = statusOf(new DtkdError('BAD_REQUEST', message, { next: 'Write a=b.' }), {}, () => undefined);
      expect(errorOfStatus(status.code, status)).toMatchObject({ message, next: 'Write a=b.' });
    }
  });

  it('a grant on what is not there is made, and says so', async () => {
    const { code, stderr } = await daemon.cli(
      'grant',
      'ops@node0',
      'READ',
      '--on',
      'resource',
      '--model',
      'shpo',
      '--type',
      'webserver',
      '--name',
      'c-1',
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('note: this node has no model "shpo" of its own') });
  });

  it('a grant of one object that is not there says so of that object', async () => {
    const { stderr } = await daemon.cli('grant', 'ops@node0', 'READ', '--on', 'model/shpo', '--name', 'c-8');
    expect(stderr).toBe('note: there is no model "shpo" yet; the grant takes effect once there is\n');
  });

  it('the same grant is made once, and anew for another user of that name', async () => {
    let uid = 'u1';
    let made = 0;
    daemon.script('POST', /\/capabilities$/, ({ body, query }) => {
      const fields = { spec: Object(body).spec, subject: { kind: 'User', home: 'self', name: 'dan', uid } };
      return query.get('dryRun') === 'All' ? fields : daemon.put(capabilityKind, `c-dan-${++made}`, fields);
    });
    const grant = ['grant', 'dan@node0', 'READ', '--on', 'model/shop'];
    const back = 'READ to dan@node0. To take it back: dtkd revoke';
    expect((await daemon.cli(...grant)).stdout).toBe(`Granted ${back} c-dan-1\n`);
    expect(await daemon.cli(...grant)).toEqual({ code: 0, stdout: `That is granted already: ${back} c-dan-1\n`, stderr: '' });
    expect((await daemon.cli(...grant, '--expires', '30d', '-o', 'name')).stdout).toBe('c-dan-2\n');
    uid = 'u2';
    expect((await daemon.cli(...grant)).stdout).toBe(`Granted ${back} c-dan-3\n`);
  });

  it('what was shared is taken back as it was shared', async () => {
    putTrust('crew', 'v', 't6');
    const on = (model?: string) => ({ kind: 'resources.dtkd.dev', ...(model === undefined ? { name: 'front1' } : { model }) });
    const share = (name: string, verbs: string[], model?: string) =>
      daemon.put(shareKind, name, { spec: { trust: 'crew@node0', verbs, on: on(model) } });
    share('s-3', ['READ']);
    share('s-4', ['READ', 'EXECUTE'], 'web');
    share('s-5', ['READ'], 'web');
    const gone = (...args: string[]) => daemon.cli('trust', 'unshare', ...args);
    expect(await gone('crew', 'resource', 'EXECUTE', '--model', 'web')).toEqual({
      code: 5,
      stdout: '',
      stderr: 'error: that is not shared into crew@node0 here\nnext: See what is: dtkd trust show crew@node0.\n',
    });
    expect((await gone('crew', 'resource', 'EXECUTE,READ', '--model', 'web')).stdout).toBe('No longer shared: s-4.\n');
    expect((await gone('crew@node0', 'resource/front1')).stdout).toBe('No longer shared: s-3.\n');
    expect((await gone('s-5')).stdout).toBe('No longer shared: s-5.\n');
    expect((await gone('crew', '--model', 'web')).code).toBe(2);
  });

  it('revoke of a bare user name tells how users are written', async () => {
    expect((await daemon.cli('revoke', 'ops')).stderr).toContain('dtkd revoke ops@NODE\n');
  });

  it('users are taken as they are shown, and added by name alone', async () => {
    expect(await daemon.cli('user', 'add', 'ops@node0')).toMatchObject({ code: 2, stderr: expect.stringContaining('next: Write ops.\n') });
    const before = daemon.asked.length;
    await daemon.cli('user', 'rm', 'ops@node0');
    expect(daemon.asked.slice(before).map(({ path }) => path)).toEqual(['/apis/dtkd.dev/v1/namespaces/node0/users/ops']);
  });

  it('whoami tells what was granted by name and through trusts', async () => {
    daemon.script('GET', /\/daemon\/whoami$/, () => ({ name: 'ann', type: 'user', node: 'node0', display: 'ann@node0', uid: 'u' }));
    const research = putTrust('research', 'u', 't');
    putCapability('c-2', 'ann@node0', 'u');
    putCapability('c-3', research, 't');
    putCapability('c-4', 'bob@node0', 'v');
    const { stdout, stderr } = await daemon.cli('whoami');
    expect(stdout).toMatch(/^ann@node0\nMember of research@node0: .*\n\nNAMESPACE +NAME .*\nnode0 +c-2 .*\nnode0 +c-3 .*\n$/);
    expect(stderr).toBe('');
  });

  it('whoami leaves out what earlier users and trusts of the same name had', async () => {
    daemon.script('GET', /\/daemon\/whoami$/, () => ({ name: 'cat', type: 'user', node: 'node0', display: 'cat@node0', uid: 'u2' }));
    putTrust('old', 'u1', 't1');
    const lab = putTrust('lab', 'u2', 't3');
    putCapability('c-5', 'cat@node0', 'u1');
    putCapability('c-6', lab, 't2');
    expect(await daemon.cli('whoami')).toEqual({
      code: 0,
      stdout: 'cat@node0\nMember of lab@node0: "dtkd trust show" tells what is shared there.\nNothing is granted to it by name.\n',
      stderr: 'note: not shown, because they give it nothing: 2 granted to earlier users of the same name\n',
    });
    putCapability('c-7', 'cat@node0', 'u2');
    expect((await daemon.cli('whoami')).stdout).toMatch(/\n\nNAMESPACE +NAME .*\nnode0 +c-7 .*\n$/);
  });

  it('whoami leaves out what the user had while its node had another key', async () => {
    const me = { name: 'dan', type: 'user', node: 'node0', display: 'dan@node0', uid: 'u9', keys: ['k-now'] };
    daemon.script('GET', /\/daemon\/whoami$/, () => me);
    putCapability('c-8', 'dan@node0', 'u9', 'k-before');
    expect((await daemon.cli('whoami')).stdout).toBe('dan@node0\nNothing is granted to it by name.\n');
    putCapability('c-9', 'dan@node0', 'u9', 'k-now');
    expect((await daemon.cli('whoami')).stdout).toMatch(/\n\nNAMESPACE +NAME .*\nnode0 +c-9 .*\n$/);
  });

  it('trust show leaves out what was shared into an earlier trust of the same name', async () => {
    putTrust('team', 'u', 't5');
    for (const [name, uid] of [['s-1', 't4'] as const, ['s-2', 't5'] as const]) {
      const subject = { home: 'self', name: 'team', uid };
      daemon.put(shareKind, name, { spec: { trust: 'team@node0', verbs: ['READ'], on: { kind: '*' } }, subject });
    }
    const { stdout } = await daemon.cli('trust', 'show', 'team');
    expect(stdout).toMatch(/\nShared:\n {2}s-2 .*\n$/);
  });

  /** A trust with one member; answers how capabilities name it. */
  function putTrust(name: string, member: string, uid: string): string {
    const [user, display] = member === 'u' ? ['ann', 'ann@node0'] : ['cat', 'cat@node0'];
    const members = [{ home: 'self', name: user, uid: member, membership: 'm', display }];
    daemon.put(trustKind, name, { spec: { members: [display] }, members }, { uid });
    return `trust:${name}@node0`;
  }

  function putCapability(name: string, to: string, uid: string, home = 'self'): void {
    const subject = { kind: to.startsWith('trust:') ? 'Trust' : 'User', home, name: 'ann', uid };
    daemon.put(capabilityKind, name, { spec: { to, verbs: ['READ'], on: { kind: '*' } }, subject });
  }
});

describe('what a resource and a type come to', () => {
  it('properties say where they come from, and relations are there from both ends', () => {
    const value = { value: 'welcome', origin: 'imported', child: 'greeting', type: 'string' };
    expect(
      shownResource({
        types: ['WebServer', 'Service'],
        properties: { port: { value: 80, origin: 'own' }, tls: { value: false, origin: 'default' }, value },
        parents: [{ name: 'web', type: 'Site' }],
        children: { items: [{ name: 'greeting', type: 'Setting' }, { name: 'hidden' }], count: 4 },
        deployments: ['node0'],
        violations: [{ field: 'children', message: 'too few' }],
      }),
    ).toEqual({
      types: 'WebServer < Service',
      parents: ['web (Site)'],
      children: ['greeting (Setting)', 'hidden', 'and 2 more'],
      deployedTo: ['node0'],
      values: ['port = 80', 'tls = false (default)', 'value = welcome (from greeting)'],
      problems: ['children: too few'],
    });
  });

  it('a type says what is required, and where it is declared', () => {
    const properties = { port: { type: 'port', required: true, exported: true, from: 'WebServer' }, rank: { type: 'integer', default: 1 } };
    expect(shownType({ types: ['WebServer', 'Service'], subtypes: [], resources: 2, properties, violations: [] })).toMatchObject({
      properties: ['port: port (required, exported, of WebServer)', 'rank: integer (default 1)'],
    });
  });
});

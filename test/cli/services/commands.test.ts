import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DtkdError } from '../../../protocol/errors.ts';
import { assemblyKind } from '../../../protocol/kinds/assembly.ts';
import { secretKind } from '../../../protocol/kinds/secret.ts';
import { serviceInstanceKind } from '../../../protocol/kinds/service-instance.ts';
import { taskKind } from '../../../protocol/kinds/task.ts';
import { typeKind } from '../../../protocol/kinds/type.ts';
import { FakeDaemon } from '../fake-daemon.ts';
import { about, aboutTask, BASE, COMMIT, end, linesOf, output, PLAN, plan, serve, state, step, task, told } from './fake-service.ts';

const SPEC = { module: 'acme/web', version: '1.2.0', assembly: 'web-tier', directory: '/data/instances/shop' };
const web = { title: 'create web', node: 'node1', resource: 'web', command: 'create' };

describe('dtkd stage, converge and service', () => {
  let daemon: FakeDaemon;
  let dir: string;
  beforeEach(async () => {
    daemon = await FakeDaemon.start();
    dir = await mkdtemp(join(tmpdir(), 'dtkd-service-cli-'));
    serve(daemon);
  });
  afterEach(async () => {
    await daemon.stop();
    await rm(dir, { recursive: true });
  });

  /** Body of the last request of this kind. */
  const sent = (action: RegExp): unknown => daemon.asked.findLast(({ method, path }) => method === 'POST' && action.test(path))?.body;
  const follows = (...lines: unknown[]): void => daemon.script('GET', aboutTask('follow'), () => ({ lines: linesOf(...lines) }));

  describe('stage', () => {
    beforeEach(() => {
      daemon.put(assemblyKind, 'acme.web-1.2.0.web-tier', {
        spec: {
          ...SPEC,
          components: ['web'],
          parameters: { tier: {}, port: { type: 'port' }, password: { type: 'secret' }, tags: { type: 'array' } },
        },
      });
      daemon.script('POST', /daemon\/stage$/, () => ({
        instance: { metadata: { name: 'web-tier-2' }, spec: { ...SPEC, target: 'prod' } },
        notes: ['the parameter tier is not set'],
      }));
    });

    it('says what was made, where it is and what to do next', async () => {
      const args = ['--name', 'shop', '--target', 'prod', '--set', 'tier=007', '--set', 'port=80', '--set', 'tags=a,b'];
      const { code, stdout, stderr } = await daemon.cli('stage', 'acme/web:web-tier@^1.2', ...args);
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: 'Staged web-tier-2 of acme/web 1.2.0, assembly web-tier, against prod.\nDirectory: /data/instances/shop\n',
      });
      expect(stderr).toContain('the parameter tier is not set');
      expect(stderr).toMatch(/Then: dtkd .*converge web-tier-2/);
      expect(sent(/stage$/)).toEqual({
        module: 'acme/web',
        assembly: 'web-tier',
        version: '^1.2',
        name: 'shop',
        target: 'prod',
        parameters: { tier: '007', port: 80, tags: ['a', 'b'] },
      });
    });

    it('keeps a secret parameter where secrets are kept, under the name that the service will have', async () => {
      const { code, stdout, stderr } = await daemon.cliWith({ stdin: 'hush\n' }, 'stage', 'acme/web:web-tier', '--set', 'password=-');
      expect(code).toBe(0);
      expect(stdout + stderr).not.toContain('hush');
      expect(daemon.object(secretKind, 'web-tier-2.password')).toMatchObject({ spec: { value: 'hush' } });
      expect(sent(/stage$/)).toMatchObject({ name: 'web-tier-2', parameters: { password: 'web-tier-2.password' } });
    });

    it('only tries, and names what could be staged', async () => {
      const { stdout } = await daemon.cli('stage', 'acme/web:web-tier', '--dry-run');
      expect(stdout).toContain('web-tier-2 can be staged of acme/web 1.2.0');
      expect(sent(/stage$/)).toMatchObject({ dryRun: true });
      expect((await daemon.cli('stage', '-', '--list', 'assemblies')).stdout).toBe('acme/web:web-tier\n');
      expect(await daemon.cli('stage', 'acme/web')).toMatchObject({ code: 2, stderr: expect.stringContaining('is not MODULE:ASSEMBLY') });
    });
  });

  describe('converge', () => {
    it('shows violations as a table, and stops', async () => {
      daemon.script('POST', about('converge'), () => {
        throw new DtkdError('VIOLATIONS', 'service "shop" cannot be converged: web.port: has no value', {
          next: 'dtkd service set shop web.port=…',
          details: {
            violations: [{ kind: 'REQUIRED_UNSET', where: 'web.port', message: 'has no value', next: 'dtkd service set shop web.port=…' }],
          },
        });
      });
      const { code, stdout, stderr } = await daemon.cli('converge', 'shop', '--yes');
      expect(code).toBe(25);
      expect(stdout.replace(/ {2,}/g, ' | ')).toBe(
        'VIOLATION | WHERE | WHAT IS WRONG | WHAT TO DO\nREQUIRED_UNSET | web.port | has no value | dtkd service set shop web.port=…\n',
      );
      expect(stderr).toBe(
        'error: service "shop" has 1 violation: nothing was done\nnext: Correct what the table lists, and run this again.\n',
      );
      const asJson = await daemon.cli('converge', 'shop', '--yes', '-o', 'json');
      expect(asJson.code).toBe(25);
      expect(JSON.parse(asJson.stdout)).toMatchObject({ type: 'violations', violations: [{ where: 'web.port' }] });
    });

    it('shows what is different and what would be run, and does nothing', async () => {
      daemon.script('POST', about('plan'), () => plan());
      const { code, stdout } = await daemon.cli('converge', 'shop', '--dry-run', '--threads', '4', '--keep-going');
      expect(code).toBe(0);
      expect(stdout.trimStart().replace(/ {2,}/g, ' | ')).toBe(`KIND | WHAT | VALUE
~ | property | web.port | 8080 → 8081

NO | STEP | NODE | COMMAND
1 | bring up 1
1.1 | create web | node1 | create
1 command to run; 2 unchanged.
`);
      expect(sent(about('plan'))).toEqual({ dryRun: true, threads: 4, keepGoing: true });
      expect(daemon.writes().filter((one) => one.endsWith('converge'))).toEqual([]);
    });

    it('asks before it runs anything, and says so where nobody can be asked', async () => {
      daemon.script('POST', about('plan'), () => plan());
      const { code, stdout, stderr } = await daemon.cli('converge', 'shop');
      expect({ code, shown: stdout.includes('create web') }).toEqual({ code: 2, shown: true });
      expect(stderr).toContain('--yes');
      expect(daemon.writes().filter((one) => one.endsWith('converge'))).toEqual([]);
    });

    it('only commits where there is nothing to run, without asking, and just that', async () => {
      daemon.script('POST', about('plan'), () => plan({ steps: [], unchanged: 3 }));
      daemon.script('POST', about('converge'), () => plan({ steps: [], unchanged: 3, commit: COMMIT }));
      const { code, stdout } = await daemon.cli('converge', 'shop', '-m', 'Say it better');
      expect(code).toBe(0);
      expect(stdout.endsWith('There is nothing to run: 3 resources are as wanted.\nCommit 1f3a9c2e is applied.\n')).toBe(true);
      expect(sent(about('converge'))).toEqual({ message: 'Say it better', plan: PLAN });
    });

    it('follows the task to its end, and names the apps', async () => {
      daemon.script('POST', about('converge'), () => plan({ task: 'shop-7' }));
      daemon.script('GET', about('state'), () => state({ apps: [{ name: 'shop-web', node: 'node1', uri: 'http://shop-web.example' }] }));
      follows(task('executing', step('1', 'executing', web)), output('1', 'quiet\n'), told('1', 'succeeded', web), end('succeeded'));
      const { code, stdout, stderr } = await daemon.cli('converge', 'shop', '--yes');
      expect({ code, stderr }).toEqual({ code: 0, stderr: 'Task shop-7 succeeded. 1 of 1 step ended: 1 succeeded\n' });
      expect(stdout).toMatch(
        /1 create web on node1: executing\n1 create web on node1: succeeded \(1.5s\)\nApp shop-web of node1: http:\/\/shop-web.example\n$/,
      );
    });

    it('tells why it failed, and how to go on', async () => {
      daemon.script('POST', about('converge'), () => plan({ task: 'shop-7' }));
      follows(
        task('executing', step('1', 'executing', web)),
        output('1', 'no room\n'),
        told('1', 'failed', { ...web, exitStatus: 3, message: 'exit status 3: no room' }),
        end('failed', '1 of 1 steps did not succeed'),
      );
      const { code, stdout, stderr } = await daemon.cli('converge', 'shop', '-y', '-n', 'node5');
      expect(code).toBe(20);
      expect(
        stdout.endsWith(
          '1 create web on node1: failed, exit status 3: no room (1.5s)\n---- 1 create web on node1: failed, exit status 3 (1.5s) ----\nno room\n',
        ),
      ).toBe(true);
      expect(stderr).toMatch(/What happened: dtkd .*service task show shop-7 -n node5\nGo on with it: dtkd .*converge shop -n node5\n$/);
      expect(daemon.asked.every(({ path }) => path.includes('/namespaces/node5/'))).toBe(true);
    });

    it('writes a line of JSON for each event', async () => {
      daemon.script('POST', about('converge'), () => plan({ task: 'shop-7' }));
      follows(task('executing', step('1', 'executing', web)), told('1', 'succeeded', web), end('succeeded'));
      const { code, stdout } = await daemon.cli('converge', 'shop', '--yes', '-o', 'json');
      const lines = stdout
        .trimEnd()
        .split('\n')
        .map((line): unknown => JSON.parse(line));
      expect(code).toBe(0);
      expect(lines).toMatchObject([
        { type: 'plan', task: 'shop-7' },
        { type: 'task' },
        { type: 'step', step: { state: 'succeeded' } },
        { type: 'end', task: 'shop-7', state: 'succeeded', exitStatus: 0 },
      ]);
    });

    it('can be left to itself', async () => {
      daemon.script('POST', about('converge'), () => plan({ task: 'shop-7' }));
      const { code, stdout, stderr } = await daemon.cli('converge', 'shop', '--yes', '--detach');
      expect({ code, last: stdout.trimEnd().split('\n').at(-1) }).toEqual({ code: 0, last: 'shop-7' });
      expect(stderr).toMatch(/Follow it: dtkd .*service task follow shop-7/);
    });
  });

  describe('settings', () => {
    it('are sent as the type at each path has them', async () => {
      await writeFile(join(dir, 'page'), 'two\nlines\n');
      const { code, stdout, stderr } = await daemon.cli(
        'service',
        'set',
        'shop',
        'web.port=8081',
        `web.greeting=@${join(dir, 'page')}`,
        'tier=007',
        'web.tags=a,b',
        'web.on=tags=web',
        'web.count=3',
      );
      expect(code).toBe(0);
      expect(stdout).toMatch(/~ +property +web\.port +8080 → 8081/);
      expect(stderr).toMatch(/Next: dtkd .*converge shop/);
      expect(sent(about('edit'))).toEqual({
        edits: [
          { op: 'set', path: 'web.port', value: 8081 },
          { op: 'set', path: 'web.greeting', value: 'two\nlines\n' },
          { op: 'set', path: 'tier', value: '007' },
          { op: 'set', path: 'web.tags', value: ['a', 'b'] },
          { op: 'set', path: 'web.on', value: 'tags=web' },
          { op: 'set', path: 'web.count', value: 3 },
        ],
        base: BASE,
      });
    });

    it('that are ahead of the node are warned of', async () => {
      daemon.script('POST', about('edit'), () => ({
        base: BASE,
        differences: [{ kind: 'service', what: 'target', op: 'added', after: 'prdo' }],
        notes: ['there is no service prdo on this node; before shop can be converged: stage it'],
      }));
      const { code, stdout, stderr } = await daemon.cli('service', 'set', 'shop', 'target=prdo');
      expect(code).toBe(0);
      expect(stdout).toMatch(/service +target +prdo/);
      expect(stderr).toContain('warning: there is no service prdo on this node; before shop can be converged: stage it');
    });

    it('that are secrets go where secrets are kept, and their names into the file', async () => {
      const set = await daemon.cliWith({ stdin: 'hush\n' }, 'service', 'set', 'shop', 'db.password=-');
      expect(set.code).toBe(0);
      expect(set.stdout + set.stderr).not.toContain('hush');
      expect(daemon.object(secretKind, 'shop.db.password')).toMatchObject({ spec: { value: 'hush' } });
      expect(sent(about('edit'))).toMatchObject({ edits: [{ op: 'set', path: 'db.password', value: 'shop.db.password' }] });
      // also the name of one that is there
      daemon.put(secretKind, 'common', {});
      expect(await daemon.cli('service', 'set', 'shop', 'db.password=common')).toMatchObject({ code: 0 });
    });

    it('that are secrets are not empty', async () => {
      const { code, stderr } = await daemon.cliWith({ stdin: '' }, 'service', 'set', 'shop', 'db.password=-');
      expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('give a file as db.password=@FILE') });
      expect(sent(about('edit'))).toBeUndefined();
    });

    it('never repeat what may be a secret', async () => {
      const said = await daemon.cli('service', 'set', 'shop', 'db.password=hunter2');
      expect(said.code).toBe(5);
      expect(said.stdout + said.stderr).not.toContain('hunter2');
      expect(said.stderr).toContain('dtkd service set shop db.password=-');
      expect(sent(about('edit'))).toBeUndefined();
      const shown = await daemon.cli('service', 'show', 'shop').then(({ stdout }) => stdout);
      expect(shown).not.toContain('not-to-be-shown');
    });

    it('are taken back; components and links come and go', async () => {
      await daemon.cli('service', 'unset', 'shop', 'web.port', 'target');
      expect(sent(about('edit'))).toEqual({
        edits: [
          { op: 'unset', path: 'web.port' },
          { op: 'unset', path: 'target' },
        ],
      });
      await daemon.cli('service', 'rm-component', 'shop', 'cache', 'db');
      expect(sent(about('edit'))).toMatchObject({
        edits: [
          { op: 'rm-component', name: 'cache' },
          { op: 'rm-component', name: 'db' },
        ],
      });
      await daemon.cli('service', 'add-link', 'shop', 'web', 'db', 'backend/db', '--take', 'db_port=port', '--give', 'peers=port');
      expect(sent(about('edit'))).toEqual({
        edits: [{ op: 'add-link', component: 'web', link: 'db', to: 'backend/db', take: { db_port: 'port' }, give: { peers: 'port' } }],
      });
      const { stdout, stderr } = await daemon.cli('service', 'rm-link', 'shop', 'web', 'db');
      expect(sent(about('edit'))).toEqual({ edits: [{ op: 'rm-link', component: 'web', link: 'db' }] });
      expect(stdout).toMatch(/~ +property +web\.port/);
      expect(stderr).toMatch(/Next: dtkd .*converge shop/);
    });

    it('that no type declares are set, with a warning that names what may have been meant', async () => {
      const { code, stderr } = await daemon.cli('service', 'set', 'shop', 'web.prot=81', 'web.on=tags=web', 'web.properties.port=80');
      expect(code).toBe(0);
      expect(stderr.match(/^warning: .*$/gm)).toEqual([
        'warning: the type of web declares no property prot; it was set all the same. Did you mean web.port?',
      ]);
    });

    it('of a new component are set once its type is known; if they cannot be, it is taken out again', async () => {
      const args = ['service', 'add-component', 'shop', 'web', '--type', 'WebServer', '--on', 'tags=web', '--count', 'all', '--set'];
      const added = await daemon.cli(...args, 'port=81');
      expect(added.code).toBe(0);
      expect(added.stdout.match(/KIND/g)).toHaveLength(1);
      const edits = daemon.asked.filter(({ path }) => path.endsWith('/edit')).map(({ body }) => body);
      expect(edits).toEqual([
        { edits: [{ op: 'add-component', name: 'web', type: 'WebServer', on: 'tags=web', count: 'all' }] },
        { edits: [{ op: 'set', path: 'web.port', value: 81 }], base: BASE },
      ]);
      expect(await daemon.cli(...args, 'tags=[1')).toMatchObject({ code: 2, stderr: expect.stringContaining('removed again') });
      expect(sent(about('edit'))).toEqual({ edits: [{ op: 'rm-component', name: 'web' }] });
      expect(await daemon.cli('service', 'add-component', 'shop', 'x', '--type', 'X', '--count', 'some')).toMatchObject({ code: 2 });
    });
  });

  describe('edit', () => {
    /** An editor that puts this in place of `hi`. */
    async function editor(to: string): Promise<{ EDITOR: string }> {
      const file = join(dir, 'editor');
      await writeFile(file, `#!/bin/sh\ncat "$1" >> ${dir}/seen\nsed -i 's/greeting: hi/greeting: ${to}/' "$1"\n`);
      await chmod(file, 0o755);
      return { EDITOR: file };
    }

    it('sends the file with the digest of what was edited', async () => {
      daemon.script('POST', about('file'), () => ({ base: BASE, differences: [], notes: ['there is not a target'] }));
      const { code, stderr } = await daemon.cliWith({ env: await editor('hello') }, 'service', 'edit', 'shop');
      expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('warning: there is not a target') });
      expect(sent(about('file'))).toMatchObject({ base: BASE, content: expect.stringMatching(/^dsl_version[\s\S]*greeting: hello/) });
      const unchanged = await daemon.cliWith({ env: await editor('hi') }, 'service', 'edit', 'shop');
      expect(unchanged).toMatchObject({ code: 0, stderr: expect.stringContaining('Nothing was changed.') });
    });

    it('shows what was refused, and keeps the text where somebody else was quicker', async () => {
      let refused = 0;
      daemon.script('POST', about('file'), () => {
        refused += 1;
        if (refused === 1) throw new DtkdError('INVALID', 'dtk.service.yaml:9:5: no such thing');
        throw new DtkdError('CONFLICT', 'dtk.service.yaml was changed meanwhile');
      });
      const options = { env: { ...(await editor('x')), TMPDIR: dir } };
      // the second time there is nothing left to put in place: it is still refused, and the text is kept
      const { code, stderr } = await daemon.cliWith(options, 'service', 'edit', 'shop');
      expect(code).toBe(2);
      expect(await readFile(join(dir, 'seen'), 'utf8')).toContain('#dtkd dtk.service.yaml:9:5: no such thing');
      const kept = /What you wrote is in (\S+)\.\s/.exec(stderr)?.[1] ?? '';
      expect(await readFile(kept, 'utf8')).toMatch(/^dsl_version[\s\S]*greeting: x/);
      const raced = await daemon.cliWith(options, 'service', 'edit', 'shop');
      expect(raced).toMatchObject({ code: 6, stderr: expect.stringContaining('opens the file as it is now') });
    });
  });

  describe('looking at it', () => {
    it('status tells what is edited, applied, running and wrong', async () => {
      daemon.script('GET', about('state'), () =>
        state({
          phase: 'Failed',
          applied: 'f'.repeat(40),
          edited: [{ kind: 'component', what: 'cache', op: 'added', after: 'Cache' }],
          pending: [{ kind: 'property', what: 'web.greeting', op: 'changed', before: 'hi', after: '' }],
          violations: [{ kind: 'SECRET_MISSING', where: 'db.password', message: 'there is none' }],
          resources: [
            {
              name: 'web-1',
              component: 'web',
              type: 'WebServer',
              node: 'node1',
              state: 'broken',
              at: '2026-01-01T00:00:00Z',
              check: { ok: false, at: '2026-01-01T00:00:00Z', message: 'gone' },
            },
          ],
          apps: [{ name: 'shop-web', node: 'node1' }],
          task: { name: 'shop-7', title: 'converge', state: 'failed', message: 'one failed\nmore' },
        }),
      );
      const { code, stdout } = await daemon.cli('service', 'status', 'shop');
      expect(code).toBe(0);
      for (const text of [
        /Drift: +found \d+\w+ ago: web-1\n/,
        /Last commit: +1f3a9c2e, and edited since/,
        /Applied: +ffffffff/,
        /Last task: +shop-7 \(converge\): failed, one failed\n/,
        /\+ +component +cache +Cache/,
        /~ +property +web\.greeting +hi → ""/,
        /web-1 +WebServer +node1 +broken .*drifted: gone/,
        /shop-web +node1 +\(no address here yet\)/,
        /SECRET_MISSING +db\.password +there is none/,
      ])
        expect(stdout).toMatch(text);
    });

    it('status tells what was applied once from what never was', async () => {
      const appliedOf = async (phase: string) => {
        daemon.script('GET', about('state'), () => state({ phase, applied: undefined }));
        return /Applied: +(.*)/.exec((await daemon.cli('service', 'status', 'shop')).stdout)?.[1];
      };
      expect(await appliedOf('Staged')).toBe('never');
      expect(await appliedOf('Deleted')).toBe('no longer: it was taken down');
    });

    it('show tells what can be set', async () => {
      daemon.put(serviceInstanceKind, 'shop', { spec: SPEC });
      const { stdout } = await daemon.cli('service', 'show', 'shop');
      for (const text of [
        /web +WebServer +tags=web +2 +db: db/,
        /web\.port +port +8080/,
        /parameters\.tier +string +dev/,
        /db\.password +secret +\(a Secret\)/,
        /rolling-restart +one after/,
      ]) {
        expect(stdout).toMatch(text);
      }
      expect((await daemon.cli('service', 'path', 'shop')).stdout).toBe('/data/instances/shop\n');
      expect((await daemon.cli('service', 'ls', '-o', 'name')).stdout).toBe('serviceinstance.dtkd.dev/shop\n');
      expect((await daemon.cli('service', 'show', 'shop', '--list', 'components')).stdout).toBe('db\nweb\n');
      expect((await daemon.cli('service', 'show', 'shop', '--list', 'paths')).stdout).toContain('web.port=\n');
    });

    it('names what can be run of it, inherited or not, and not what is private', async () => {
      const put = (name: string, spec: object): unknown => daemon.put(typeKind, name, { spec: { ...spec, instance: 'shop' } });
      put('shop.webserver', { name: 'WebServer@shop', extends: 'Server@shop', commands: { restart: {}, hidden: { private: true } } });
      put('shop.server', { name: 'Server@shop', extends: 'Server@shop', commands: { check: {} } });
      daemon.put(typeKind, 'webserver', { spec: { name: 'WebServer', commands: { other: {} } } });
      daemon.script('GET', about('state'), () =>
        state({ resources: [{ name: 'web-1', component: 'web', type: 'WebServer', node: 'node1', state: 'applied' }] }),
      );
      const { stdout } = await daemon.cli('service', 'show', 'shop', '--list', 'actions');
      expect(stdout).toBe('rolling-restart\nweb-1.check\nweb-1.restart\nweb.check\nweb.restart\n');
    });

    it('diff and log', async () => {
      daemon.script('GET', about('diff'), () => ({
        differences: [{ kind: 'link', what: 'web.db', op: 'removed', before: { to: 'db' } }],
        files: [{ path: 'dtk.service.yaml', op: 'changed', text: '@@ -1 +1 @@\n-a\n+b\x1b\n' }],
      }));
      const { stdout } = await daemon.cli('service', 'diff', 'shop', '--from', 'applied', '--to', 'HEAD', '--files');
      expect(stdout).toMatch(/- +link +web\.db +\{"to":"db"\}\n~ dtk\.service\.yaml\n@@ -1 \+1 @@\n-a\n\+b\\u001b\n$/);
      const query = daemon.asked.findLast(({ path }) => path.endsWith('/diff'))?.query;
      expect(Object.fromEntries(query ?? [])).toEqual({ from: 'applied', to: 'HEAD' });
      daemon.script('GET', about('log'), () => ({
        commits: [{ id: COMMIT, message: 'Converge: web.port\n\nmore', author: 'greg', at: '2026-01-01T00:00:00Z', applied: true }],
      }));
      expect((await daemon.cli('service', 'log', 'shop')).stdout).toMatch(/1f3a9c2e +\S+ +greg +applied +Converge: web\.port\n/);
    });

    it('no tasks of a service that there is not', async () => {
      expect(await daemon.cli('service', 'tasks', 'nope')).toMatchObject({ code: 5, stderr: expect.stringContaining('"nope" not found') });
    });

    it('tasks, the latest first, and the tree of one', async () => {
      const put = (name: string, startedAt: string): unknown =>
        daemon.put(taskKind, name, {
          spec: { instance: 'shop', action: 'converge', title: 'converge', user: 'greg@node0', commit: COMMIT },
          status: {
            state: 'failed',
            startedAt,
            finishedAt: startedAt,
            message: 'a\nb',
            steps: [step('1', 'failed', { ...web, exitStatus: 1 })],
          },
        });
      put('shop-9', '2026-01-01T00:00:00Z');
      put('shop-10', '2026-01-02T00:00:00Z');
      const { stdout } = await daemon.cli('service', 'tasks', 'shop');
      expect(stdout).toMatch(/^TASK .*\nshop-10 +shop +converge +failed +1\/1 .*\nshop-9 /);
      const shown = await daemon.cli('service', 'task', 'show', 'task.dtkd.dev/shop-9');
      expect(shown.stdout).toMatch(/Message: +a\n +b\n/);
      expect(shown.stdout).toMatch(/1 +create web +failed +node1 .*exit status 1/);
      follows(task('failed', step('1', 'failed', web)), end('failed'));
      expect((await daemon.cli('service', 'task', 'follow', 'shop-7')).code).toBe(20);
      daemon.script('POST', aboutTask('cancel'), () => ({}));
      expect((await daemon.cli('service', 'task', 'cancel', 'shop-7')).stdout).toBe('Cancelled shop-7.\n');
      daemon.script('POST', aboutTask('cancel'), () => ({ status: { state: 'succeeded' } }));
      expect((await daemon.cli('service', 'task', 'cancel', 'shop-7')).stdout).toBe(
        'There is nothing to cancel: shop-7 has ended, and succeeded.\n',
      );
    });
  });

  describe('orders', () => {
    beforeEach(() => {
      follows(task('executing', step('1', 'executing', web)), told('1', 'succeeded', web), end('succeeded'));
      for (const verb of ['exec', 'rollback', 'drift', 'delete', 'uninstall']) {
        daemon.script('POST', about(verb), ({ body }) =>
          plan({ task: 'shop-7', ...(verb === 'uninstall' ? { kept: '/data/kept' } : {}), ...askedOnly(body) }),
        );
      }
    });
    const askedOnly = (body: unknown): { task?: undefined } => (Reflect.get(Object(body), 'dryRun') === true ? { task: undefined } : {});

    it('exec runs a command of a component, of a resource, or a workflow', async () => {
      await daemon.cli('service', 'exec', 'shop', 'web.restart', '--set', 'force=yes', '--batch', '25%', '--threads', '2');
      expect(sent(about('exec'))).toEqual({ component: 'web', command: 'restart', options: { force: 'yes' }, batch: '25%', threads: 2 });
      expect((await daemon.cli('service', 'exec', 'shop', 'rolling-restart')).code).toBe(0);
      expect(sent(about('exec'))).toEqual({ workflow: 'rolling-restart' });
      for (const args of [['.restart'], ['web.'], ['web.x', '--batch', 'half']]) {
        expect((await daemon.cli('service', 'exec', 'shop', ...args)).code).toBe(2);
      }
    });

    it('rollback, delete and uninstall ask; what was shown is what is done', async () => {
      expect((await daemon.cli('service', 'rollback', 'shop', 'HEAD~1')).code).toBe(2);
      expect(sent(about('rollback'))).toEqual({ to: 'HEAD~1', dryRun: true });
      expect((await daemon.cli('service', 'rollback', 'shop', 'HEAD~1', '--yes', '--discard')).code).toBe(0);
      expect(sent(about('rollback'))).toEqual({ to: 'HEAD~1', discard: true });
      expect((await daemon.cli('service', 'delete', 'shop')).code).toBe(2);
      const deleted = await daemon.cli('service', 'delete', 'shop', '-y', '--recursive');
      expect(deleted.stdout.endsWith('Deleted shop; its files are kept.\n')).toBe(true);
      const gone = await daemon.cli('service', 'uninstall', 'shop', '-y', '--abandon');
      expect(gone.stdout.endsWith('Uninstalled shop: its history is kept in /data/kept\n')).toBe(true);
      expect(sent(about('uninstall'))).toEqual({ abandon: true });
    });

    it('what did not succeed is taken up again with what was said', async () => {
      follows(task('executing', step('1', 'executing', web)), told('1', 'failed', web), end('failed'));
      const deleted = await daemon.cli('service', 'delete', 'shop', '-y', '--recursive');
      expect(deleted.stderr).toMatch(/Go on with it: dtkd .*service delete shop --recursive\n$/);
      const gone = await daemon.cli('service', 'uninstall', 'shop', '-y', '--recursive', '--abandon', '-n', 'node5');
      expect(gone.stderr).toMatch(/Go on with it: dtkd .*service uninstall shop --recursive --abandon -n node5\n$/);
    });

    it('what failed of services that go first is told by the exit status, too', async () => {
      for (const verb of ['delete', 'uninstall']) {
        daemon.script('POST', about(verb), () => {
          throw new DtkdError('TASK_FAILED', 'service "web" could not be taken down', { details: { task: 'web-3' } });
        });
      }
      expect((await daemon.cli('service', 'uninstall', 'shop', '-y', '--recursive')).code).toBe(20);
      daemon.put(taskKind, 'web-3', {
        status: { state: 'failed', steps: [step('1', 'failed', { ...web, message: 'unreachable: away' })] },
      });
      const away = await daemon.cli('service', 'delete', 'shop', '-y', '--recursive');
      expect(away).toMatchObject({ code: 21, stderr: expect.stringContaining('service "web" could not be taken down') });
    });

    it('drift says what is not as it should be', async () => {
      expect(await daemon.cli('service', 'drift', 'shop')).toMatchObject({ code: 0, stdout: expect.stringContaining('as it should be') });
      daemon.script('GET', about('state'), () =>
        state({
          resources: [
            {
              name: 'web',
              component: 'web',
              type: 'W',
              node: 'node1',
              state: 'applied',
              check: { ok: false, at: '2026-01-01T00:00:00Z', message: 'exit status 1: no pid\ngone' },
            },
          ],
        }),
      );
      expect(await daemon.cli('service', 'drift', 'shop')).toMatchObject({
        code: 20,
        stdout: expect.stringMatching(/web +node1 +exit status 1: gone\n$/),
      });
      daemon.script('GET', about('state'), () =>
        state({ resources: [{ name: 'web', component: 'web', type: 'W', node: 'node1', state: 'broken' }] }),
      );
      expect(await daemon.cli('service', 'drift', 'shop')).toMatchObject({
        code: 20,
        stdout: expect.stringMatching(/web +node1 +not checked: /),
      });
    });

    it('drift says so where nothing can be checked', async () => {
      daemon.script('POST', about('drift'), () => plan({ steps: [], unchanged: 1, differences: [] }));
      const { code, stdout } = await daemon.cli('service', 'drift', 'shop');
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: 'There is nothing to check: no applied resource has a type with a command check.\n',
      });
    });

    it('module copies are compared, pulled and pushed', async () => {
      daemon.script('GET', about('modules'), () => ({
        copies: [
          {
            module: 'acme/web',
            version: '1.2.0',
            base: '1.2.0',
            newest: '1.3.0',
            files: [{ path: 'bin/x', op: 'changed', text: '-a\n+b' }],
          },
        ],
      }));
      const all = await daemon.cli('service', 'diff-module', 'shop');
      expect(all.stdout).toMatch(/acme\/web +1\.2\.0 +1 file +1\.3\.0\n~ bin\/x\n$/);
      expect((await daemon.cli('service', 'diff-module', 'shop', 'acme/web')).stdout).toContain('-a\n+b\n');
      daemon.script('POST', about('modules'), ({ body }) => ({
        module: 'acme/web',
        version: '1.3.0',
        files: Reflect.get(Object(body), 'force') === true ? [] : [{ path: 'bin/x', op: 'changed' }],
      }));
      expect((await daemon.cli('service', 'pull-module', 'shop', 'acme/web', '--version', '1.3.0')).stdout).toBe(
        '~ bin/x\nshop has acme/web 1.3.0 now.\n',
      );
      expect(sent(about('modules'))).toEqual({ op: 'pull', module: 'acme/web', version: '1.3.0' });
      expect((await daemon.cli('service', 'pull-module', 'shop', 'acme/web', '--force')).stdout).toBe(
        'shop already has acme/web 1.3.0, unchanged.\n',
      );
      expect((await daemon.cli('service', 'push-module', 'shop', 'acme/web')).stdout).toBe('~ bin/x\nMade acme/web 1.3.0.\n');
    });

    it('a target becomes the default, and is it no more', async () => {
      daemon.put(serviceInstanceKind, 'prod', { spec: { ...SPEC, role: 'target' } }, { labels: { 'dtkd.dev/default-target': 'true' } });
      const action = /serviceinstances\/prod\/default-target$/;
      daemon.script('POST', action, () => ({}));
      expect((await daemon.cli('service', 'default-target')).stdout).toBe('prod\n');
      await daemon.cli('service', 'default-target', 'prod');
      expect(sent(action)).toEqual({ default: true });
      await daemon.cli('service', 'default-target', '--none');
      expect(sent(action)).toEqual({ default: false });
    });
  });
});

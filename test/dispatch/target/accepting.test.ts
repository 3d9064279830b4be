import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DtkdError } from '../../../protocol/errors.ts';
import { waitFor } from '../../wait.ts';
import {
  bundleOf,
  commandWork,
  exec,
  from,
  orderOf,
  outputOf,
  ownerKey,
  shell,
  TARGET,
  type World,
  type WorldOptions,
  world,
} from './world.ts';

let current: World | undefined;
afterEach(async () => {
  await current?.close();
  current = undefined;
});

async function make(options?: WorldOptions): Promise<World> {
  current = await world(options);
  return current;
}

describe('a target', () => {
  it('runs a program once, and tells what it wrote and how it ended', async () => {
    const site = await make();
    const order = orderOf({ work: shell('echo hello; echo oops >&2; exit 3') });
    const part = await site.target.accept(from(site), { order: order.bytes });
    expect(await part.ended).toMatchObject({
      index: 0,
      node: TARGET,
      state: 'ended',
      outcome: 'failed',
      exitStatus: 3,
      reason: 'exit status 3',
    });
    expect(await outputOf(part)).toEqual({ out: 'hello\n', err: 'oops\n', log: [] });
    expect(site.audited).toMatchObject([{ who: 'ops@desk', outcome: 'allowed', because: expect.stringContaining('capability c1') }]);
    const shown = await site.store.get({ group: 'dtkd.dev', plural: 'executions', namespace: TARGET, name: order.id });
    expect(shown?.['status']).toMatchObject({ phase: 'Finished', parts: [{ outcome: 'failed', exitStatus: 3 }] });
    expect(shown?.metadata.annotations?.['dtkd.dev/creator']).toContain('ops/uid-ops@');
  });

  it('gives programs only the environment that policy lets through', async () => {
    const site = await make();
    const order = orderOf({ work: { ...exec('/usr/bin/env'), type: 'exec', env: { GIVEN: 'yes' }, argv: ['/usr/bin/env'] } });
    const { out } = await outputOf(await site.target.accept(from(site), { order: order.bytes }));
    expect(out).toContain('GIVEN=yes\n');
    expect(out).toContain(`DTKD_NODE=${TARGET}\n`);
    expect(out).not.toContain('HIDDEN');
  });

  it('runs a command of a resource in its directory, which it makes', async () => {
    const site = await make();
    const { bytes, code } = bundleOf({
      commands: {
        Status: {
          options: { verbose: { type: 'boolean', default: false } },
          script: { inline: 'pwd; echo "$DTKD_PROPERTY_PORT $DTKD_OPTION_VERBOSE $1"', args: [`\${resource.name}`] },
        },
      },
    });
    const order = orderOf({ work: commandWork('Status', code, { options: { verbose: 'true' } }) });
    const part = await site.target.accept(from(site), { order: order.bytes, bundle: bytes });
    expect(await part.ended).toMatchObject({ outcome: 'succeeded', exitStatus: 0, what: 'shop.Service.web Status' });
    const directory = join(site.directory, 'resources', ownerKey.publicKey.slice(0, 32), 'shop', 'Service', 'web');
    expect((await outputOf(part)).out).toBe(`${directory}\n8080 true web\n`);
    expect(await readFile(join(directory, 'var/resource.properties'), 'latin1')).toContain('property.port=8080\n');
    expect(JSON.parse(await readFile(join(directory, 'var/resource.json'), 'utf8'))).toMatchObject({
      name: 'web',
      properties: { port: 8080 },
      types: ['Service'],
    });
    const [deployment] = (await site.store.list({ group: 'dtkd.dev', plural: 'deployments' })).items;
    expect(deployment).toMatchObject({ spec: { name: 'web', owner: { node: 'builder' } }, status: { phase: 'Installed', directory } });
  });

  it('installs a resource once, and tries again what failed', async () => {
    const site = await make();
    const marker = join(site.directory, 'allow-install');
    const { bytes, code } = bundleOf({
      commands: { install: { script: { inline: `echo installing; test -e ${marker}` } }, Start: { script: { inline: 'echo started' } } },
    });
    const start = async () => {
      const part = await site.target.accept(from(site), { order: orderOf({ work: commandWork('Start', code) }).bytes, bundle: bytes });
      return { part: await part.ended, output: await outputOf(part) };
    };
    const first = await start();
    expect(first.part).toMatchObject({
      outcome: 'failed',
      exitStatus: 1,
      reason: expect.stringContaining('install of Service/web failed'),
    });
    expect(first.output.out).toBe('installing\n');
    await writeFile(marker, '');
    expect((await start()).output.out).toBe('installing\nstarted\n');
    expect((await start()).output.out).toBe('started\n');
  });

  it('installs by a command that nobody else can ask for', async () => {
    const site = await make();
    const { bytes, code } = bundleOf({
      commands: { install: { private: true, script: { inline: 'echo installing' } }, Start: { script: { inline: 'echo started' } } },
    });
    const part = await site.target.accept(from(site), { order: orderOf({ work: commandWork('Start', code) }).bytes, bundle: bytes });
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    expect((await outputOf(part)).out).toBe('installing\nstarted\n');
  });

  it('ends what waits until another command has installed the resource, when it is aborted or its time is over', async () => {
    const site = await make();
    const gate = join(site.directory, 'gate');
    const { bytes, code } = bundleOf({
      commands: {
        install: { script: { inline: `echo installing; until test -e ${gate}; do sleep 0.01; done` } },
        Start: { script: { inline: 'echo started' } },
      },
    });
    const start = (header = {}) => {
      const order = orderOf({ work: commandWork('Start', code), header });
      return site.target.accept(from(site), { order: order.bytes, bundle: bytes });
    };
    const first = await start();
    await waitFor(async () => (first.part().offset ?? 0) > 0, { what: 'the installation to begin' });
    const [aborted, late] = [await start(), await start({ timeoutMs: 50 })];
    const operator = { type: 'operator', name: 'operator' } as const;
    expect(await site.target.abort(operator, aborted.id)).toMatchObject([{ outcome: 'failed', code: 'ABORTED' }]);
    expect(await late.ended).toMatchObject({ outcome: 'failed', code: 'DEADLINE' });
    await writeFile(gate, '');
    expect((await outputOf(first)).out).toBe('installing\nstarted\n');
    expect((await outputOf(await start())).out).toBe('started\n');
  });

  it('nor of what was not started since its output could not be kept', async () => {
    const site = await make();
    await mkdir(join(site.directory, 'dispatch'), { recursive: true });
    await writeFile(join(site.directory, 'dispatch', 'spools'), 'in the way');
    const part = await site.target.accept(from(site), { order: orderOf({ work: shell(`touch ${site.directory}/started`) }).bytes });
    expect(await part.ended).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('it was not started') });
    await expect(readFile(`${site.directory}/started`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('says what an installation came to that could not be written down', async () => {
    const site = await make();
    const { bytes, code } = bundleOf({
      commands: { install: { script: { inline: 'echo installing' } }, Start: { script: { inline: 'echo started' } } },
    });
    let room = 0;
    const transact = site.store.transact.bind(site.store);
    vi.spyOn(site.store, 'transact').mockImplementation((work) =>
      transact((tx) => {
        const putRow = tx.putRow.bind(tx);
        vi.spyOn(tx, 'putRow').mockImplementation((key, value) => {
          if (key.startsWith('j/i/') && room-- <= 0) throw new DtkdError('DISK_FULL', 'the disk is full');
          putRow(key, value);
        });
        return work(tx);
      }),
    );
    const run = async (command: string) => {
      const part = await site.target.accept(from(site), { order: orderOf({ work: commandWork(command, code) }).bytes, bundle: bytes });
      return { part: await part.ended, ...(await outputOf(part)) };
    };
    expect(await run('Start')).toMatchObject({ part: { outcome: 'failed', code: 'DISK_FULL' }, out: '' });
    room = 1;
    expect(await run('Start')).toMatchObject({ part: { outcome: 'failed', code: 'DISK_FULL' }, out: 'installing\n' });
    room = 0;
    expect(await run('install')).toMatchObject({ part: { outcome: 'failed' } });
  });

  it('starts programs in a directory that is looked for in the home, if it is not given from the root', async () => {
    const site = await make();
    for (const round of ['by the daemon', 'by its launcher']) {
      const part = await site.target.accept(from(site), {
        order: orderOf({ work: { type: 'exec', argv: ['/bin/sh', '-c', 'pwd'], env: {}, directory: 'usr' } }).bytes,
      });
      expect((await outputOf(part)).out, round).toBe('/usr\n');
    }
  });

  it('does not say of what could not be started that nobody knows how it ended', async () => {
    const site = await make();
    await mkdir(join(site.directory, 'dispatch'), { recursive: true });
    await writeFile(join(site.directory, 'dispatch', 'runs'), 'in the way');
    const { bytes, code } = bundleOf({ commands: { Start: { script: { inline: 'echo started' } } } });
    for (const brought of [
      { order: orderOf({ work: shell('true') }).bytes },
      { order: orderOf({ work: commandWork('Start', code) }).bytes, bundle: bytes },
    ]) {
      const part = await site.target.accept(from(site), brought);
      expect(await part.ended).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('runs') });
    }
  });

  it('starts an order once however often it comes', async () => {
    const site = await make();
    const log = join(site.directory, 'started');
    const order = orderOf({ work: shell(`echo x >>${log}`) });
    const parts = await Promise.all(Array.from({ length: 20 }, () => site.target.accept(from(site), { order: order.bytes })));
    await Promise.all(parts.map(({ ended }) => ended));
    const again = await site.target.accept(from(site), { order: order.bytes });
    expect(again.part()).toMatchObject({ outcome: 'succeeded' });
    await site.crash();
    expect((await site.target.accept(from(site), { order: order.bytes })).part()).toMatchObject({ outcome: 'succeeded' });
    expect(await readFile(log, 'utf8')).toBe('x\n');
  });

  it('runs no more parts at a time than its policy says, the starters in turn', async () => {
    const site = await make({ policy: { limits: { concurrency: 1 } } });
    site.network.node('other');
    const gate = join(site.directory, 'gate');
    const order = (name: string, starter: string) =>
      site.target.accept(from(site, { name: 'ops', uid: 'uid-ops' }, starter), {
        order: orderOf({ work: shell(`echo ${name} >>${site.directory}/order; until test -e ${gate}; do sleep 0.01; done`), starter })
          .bytes,
      });
    const parts = [await order('a1', 'desk'), await order('a2', 'desk'), await order('a3', 'desk'), await order('b1', 'other')];
    expect(parts.map((part) => part.part().state)).toEqual(['running', 'accepted', 'accepted', 'accepted']);
    expect(site.target.counts()).toMatchObject({ running: 1, waiting: 3 });
    await writeFile(gate, '');
    await Promise.all(parts.map(({ ended }) => ended));
    expect((await readFile(`${site.directory}/order`, 'utf8')).split('\n').slice(0, 3)).toEqual(['a1', 'a2', 'b1']);
  });

  it('ends what takes too long, with all that it started', async () => {
    const site = await make();
    const order = orderOf({ work: shell('sleep 60 & echo waiting; wait'), header: { timeoutMs: 3_000 } });
    const part = await site.target.accept(from(site), { order: order.bytes });
    expect(await part.ended).toMatchObject({ outcome: 'failed', code: 'DEADLINE' });
    expect((await outputOf(part)).out).toBe('waiting\n');
  });

  it('ends what is aborted while it is on its way in', async () => {
    const site = await make();
    const operator = { type: 'operator', name: 'operator' } as const;
    for (const index of [undefined, 0]) {
      const order = orderOf({ work: shell('sleep 60') });
      const accepting = site.target.accept(from(site), { order: order.bytes });
      expect(await site.target.abort(operator, order.id, index)).toMatchObject([{ code: 'ABORTED' }]);
      expect(await (await accepting).ended).toMatchObject({ code: 'ABORTED' });
    }
  });

  it('ends what is aborted, and skips what has not begun', async () => {
    const site = await make({ policy: { limits: { concurrency: 1 } } });
    const running = orderOf({ work: shell('echo on; sleep 60') });
    const waiting = orderOf({ work: shell('echo never') });
    const first = await site.target.accept(from(site), { order: running.bytes });
    const second = await site.target.accept(from(site), { order: waiting.bytes });
    await waitFor(async () => (first.part().offset ?? 0) > 0, { what: 'the first output' });
    const operator = { type: 'operator', name: 'operator' } as const;
    expect(await site.target.abort(operator, waiting.id)).toMatchObject([{ outcome: 'skipped', code: 'ABORTED' }]);
    expect(await site.target.abort(operator, running.id, 0)).toMatchObject([
      { outcome: 'failed', code: 'ABORTED', reason: 'it was aborted by operator' },
    ]);
    expect(second.part().startedAt).toBeUndefined();
    await expect(site.target.abort(operator, 'f'.repeat(64))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.runIf(process.getuid?.() === 0)('runs scripts as other users that its policy names, who get to nothing else', async () => {
    const site = await make({ policy: { trust: [{ node: 'builder', key: ownerKey.publicKey }], limits: { users: ['nobody'] } } });
    await writeFile(join(site.directory, 'open-to-all'), 'private', { mode: 0o644 });
    const inline = `id -un; echo $HOME; cat ${site.directory}/open-to-all 2>/dev/null || echo closed; ls ${site.directory} 2>/dev/null || echo hidden`;
    const { bytes, code } = bundleOf({ commands: { Who: { script: { inline, user: 'nobody' } } } });
    const part = await site.target.accept(from(site), { order: orderOf({ work: commandWork('Who', code) }).bytes, bundle: bytes });
    expect((await outputOf(part)).out).toMatch(/^nobody\n\/.*\nclosed\nhidden\n$/);
    expect(part.part()).toMatchObject({ outcome: 'succeeded' });
    // as a daemon does that starts; what they have left running goes on
    await chmod(site.directory, 0o700);
    await site.crash();
    expect((await stat(site.directory)).mode & 0o777).toBe(0o701);
  });

  it.runIf(process.getuid?.() === 0)('lets them read the directory of their resource, whatever the umask of the daemon is', async () => {
    const before = process.umask(0o027);
    try {
      const site = await make({ policy: { trust: [{ node: 'builder', key: ownerKey.publicKey }], limits: { users: ['nobody'] } } });
      const inline = 'ls; grep property.port var/resource.properties; cat var/resource.json >/dev/null && echo read';
      const { bytes, code } = bundleOf({ commands: { Who: { script: { inline, user: 'nobody' } } } });
      const part = await site.target.accept(from(site), { order: orderOf({ work: commandWork('Who', code) }).bytes, bundle: bytes });
      expect(await outputOf(part)).toMatchObject({ out: 'var\nproperty.port=8080\nread\n', err: '' });
    } finally {
      process.umask(before);
    }
  });

  it('gives a script the Node that there is, and a secret that need not be there where it is', async () => {
    const site = await make({ secrets: { token: 'hunter22' } });
    const secrets = (optional: boolean) => [{ property: 'password', variable: 'PASSWORD', ...(optional ? { optional } : {}) }];
    const commands = {
      Show: {
        script: { inline: '"$DTKD_NODE_EXECUTABLE" -p "6 * 7"; test -n "$PASSWORD" && echo given || echo none', secrets: secrets(true) },
      },
      Need: { script: { inline: 'true', secrets: secrets(false) } },
    };
    const run = (command: string, properties: Record<string, unknown>, revision: number) => {
      const { bytes, code } = bundleOf({ commands, resource: { properties }, revision });
      return site.target.accept(from(site), { order: orderOf({ work: commandWork(command, code) }).bytes, bundle: bytes });
    };
    expect((await outputOf(await run('Show', {}, 1))).out).toBe('42\nnone\n');
    expect((await outputOf(await run('Show', { password: 'token' }, 2))).out).toBe('42\ngiven\n');
    expect(await (await run('Need', {}, 3)).ended).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('names no secret') });
  });

  it('masks secrets, and says which one is missing', async () => {
    const site = await make({ secrets: { token: 'hunter22\n' } });
    const commands = (name: string) => ({
      Show: {
        script: {
          inline: 'cat "$TOKEN"; echo "$PLAIN"',
          secrets: [
            { name, variable: 'TOKEN' },
            { name, variable: 'PLAIN', as: 'env' },
          ],
        },
      },
    });
    const show = async (name: string, revision: number) => {
      const { bytes, code } = bundleOf({ commands: commands(name), revision });
      return site.target.accept(from(site), { order: orderOf({ work: commandWork('Show', code) }).bytes, bundle: bytes });
    };
    await site.store.transact(async (tx) => {
      const policy = await tx.get({ group: 'dtkd.dev', plural: 'policies', namespace: TARGET, name: 'node' });
      if (policy !== undefined) await tx.put({ ...policy, spec: { trust: [{ node: 'builder', key: ownerKey.publicKey, follow: true }] } });
    });
    const { out } = await outputOf(await show('token', 1));
    expect(out).not.toContain('hunter22');
    expect(out).toContain('***');
    expect(await (await show('absent', 2)).ended).toMatchObject({
      outcome: 'failed',
      code: 'NOT_FOUND',
      reason: expect.stringContaining('no secret "absent"'),
    });
  });

  it('masks what one step of a command got in the output of the others, too', async () => {
    const site = await make({ secrets: { token: 'hunter22' } });
    const copy = join(site.directory, 'copy');
    const steps = [
      { script: { inline: `cat "$TOKEN" >${copy}`, secrets: [{ name: 'token', variable: 'TOKEN' }] } },
      { script: { inline: `cat ${copy}` } },
    ];
    const { bytes, code } = bundleOf({ commands: { Configure: { workflow: { steps } } } });
    const part = await site.target.accept(from(site), { order: orderOf({ work: commandWork('Configure', code) }).bytes, bundle: bytes });
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    expect((await outputOf(part)).out).toBe('***');
  });
});

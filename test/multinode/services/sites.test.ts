/** A service over several sites: seen and opened from others, with a node that goes away in the middle, and two people who work on it at once. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../harness/child.ts';
import { copyOf } from '../../harness/domain.ts';
import { freePort } from '../../harness/ports.ts';
import { findProgram } from '../../harness/programs.ts';
import { useStage } from '../../harness/use-stage.ts';
import { addUser, grant } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';
import { ok, openShop, page, ran, type Shop, stageShop, stateOf, taskState } from './shop.ts';

const stage = useStage({ story: true });
const SERVICE = 'shop';

describe('a service over sites', () => {
  let shop: Shop;
  let port: number;

  beforeAll(async () => {
    shop = await openShop(stage.current, { names: ['node0', 'node1', 'node2'], tags: { node1: 'web' } });
    port = await freePort();
    await ok(shop, 'module', 'install', shop.module);
    await stageShop(shop, 'shared', SERVICE, '--set', `port=${port}`, '--set', 'text=Welcome');
    await ok(shop, 'converge', SERVICE, '--yes');
  });

  it('is opened from a third one, by a URI of its own', async () => {
    const third = shop.sites[2];
    if (third === undefined) throw new Error('three sites');
    const copy = await waitFor(
      async () => {
        const found = await copyOf(third, `${SERVICE}-page`, 'node1');
        return found?.['status'] === 'Ready' ? found : undefined;
      },
      { what: 'the copy of the app at the third site' },
    );
    expect((await third.fetchUri(String(copy['URI']))).body).toBe('Welcome from none');
  });

  it('is found from another one, by whoever may read it', async () => {
    const [, second] = shop.sites;
    if (second === undefined) throw new Error('two sites');
    const dev = await addUser(second, 'dev');
    expect((await dev.cli('get', 'serviceinstances', '-A', '-o', 'name')).stdout).toBe('');
    await grant(shop.home, dev, ['READ'], { kind: 'serviceinstances.dtkd.dev' });
    expect((await dev.cli('get', 'serviceinstances', '-A', '-o', 'name')).stdout).toContain(SERVICE);
    expect((await dev.cli('get', 'tasks', '-A', '-o', 'name')).stdout).toContain(`${SERVICE}-1`);
    const status = await dev.cli('service', 'status', SERVICE, '-n', 'node0');
    expect({ code: status.code, out: status.stdout }).toMatchObject({
      code: 0,
      out: expect.stringMatching(/page-1 +Page +node1 +applied/),
    });
    const refused = await dev.cli('converge', SERVICE, '-n', 'node0', '--yes');
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('EXECUTE') });
  });

  it('tells of a node that has gone, and goes on when it is back', async () => {
    const [, second] = shop.sites;
    if (second === undefined) throw new Error('two sites');
    await ok(shop, 'service', 'set', SERVICE, 'text=Welcome back');
    await second.kill9();
    const { code, stdout, stderr } = await shop.ops.cli('converge', SERVICE, '--yes');
    expect(code, `${stdout}${stderr}`).not.toBe(0);
    expect(`${stdout}${stderr}`).toMatch(/unreachable|cannot be reached|away/i);
    expect((await stateOf(shop, SERVICE)).phase).toBe('Failed');
    await second.start();
    await waitFor(async () => (await shop.home.list('dtpeers')).every((peer) => peer['connected'] === true || peer['path'] === 'self'), {
      what: 'the node to be back',
    });
    await ok(shop, 'converge', SERVICE, '--yes');
    expect(await page(port)).toBe('Welcome back from none');
    expect((await stateOf(shop, SERVICE)).phase).toBe('Ready');
  });

  it('does one thing at a time, and ends it where that is asked for', async () => {
    await ok(shop, 'service', 'exec', SERVICE, 'page.hold', '--detach');
    const task = await waitFor(async () => (await stateOf(shop, SERVICE)).task, { what: 'the task' });
    expect(await taskState(shop, task.name)).toBe('executing');
    await ok(shop, 'service', 'set', SERVICE, 'text=Soon');
    const { code, stderr } = await shop.ops.cli('converge', SERVICE, '--yes');
    expect({ code, stderr }).toMatchObject({ code: 6, stderr: expect.stringContaining(task.name) });
    await ok(shop, 'service', 'task', 'cancel', task.name);
    await waitFor(async () => (await taskState(shop, task.name)) === 'cancelled', { what: 'the end of the task' });
    await ok(shop, 'converge', SERVICE, '--yes');
    expect(await page(port)).toBe('Soon from none');
  });

  it('takes edits of a clone, and of one person at a time', async (context) => {
    const git = findProgram('git');
    if (git === undefined) return context.skip('SKIPPED: there is no git');
    const { directory } = await stateOf(shop, SERVICE);
    const clone = join(stage.current.directory, 'clone');
    const say = async (...args: string[]) =>
      run({ command: git, args: ['-c', 'user.name=dev', '-c', 'user.email=dev@node1', '-c', 'protocol.file.allow=always', ...args] });
    expect(await say('clone', '-q', directory, clone)).toMatchObject({ code: 0 });
    const edit = async (path: string, from: string, to: string) => writeFile(path, (await readFile(path, 'utf8')).replace(from, to));
    await edit(join(clone, 'dtk.service.yaml'), 'text: Soon', 'text: From a clone');
    expect(await say('-C', clone, 'commit', '-qam', 'Say where it is from')).toMatchObject({ code: 0 });
    expect(await say('-C', clone, 'push', '-q')).toMatchObject({ code: 0 });
    await ok(shop, 'converge', SERVICE, '--yes');
    expect(await page(port)).toBe('From a clone from none');

    await edit(join(clone, 'dtk.service.yaml'), 'text: From a clone', 'text: Mine');
    expect(await say('-C', clone, 'commit', '-qam', 'Mine')).toMatchObject({ code: 0 });
    await ok(shop, 'service', 'set', SERVICE, 'text=Yours');
    expect((await say('-C', clone, 'push', '-q')).code).not.toBe(0);
    await ok(shop, 'converge', SERVICE, '--yes');
    expect(await page(port)).toBe('Yours from none');
    expect((await say('-C', clone, 'push', '-q')).code).not.toBe(0);
    expect(await readFile(join(clone, 'dtk.service.yaml'), 'utf8')).toContain('text: Mine');
  });

  it('leaves what was edited as it was when it cannot be read', async () => {
    const { directory } = await stateOf(shop, SERVICE);
    const file = join(directory, 'dtk.service.yaml');
    const before = await readFile(file, 'utf8');
    const log = await ran(shop);
    await writeFile(file, before.replace('components:', 'components: [\n'));
    const { code, stdout, stderr } = await shop.ops.cli('converge', SERVICE, '--yes');
    expect({ code, text: `${stdout}${stderr}` }).toEqual({
      code: 25,
      text: expect.stringMatching(/PARSING_ERROR[^\n]*dtk\.service\.yaml:\d+:\d+/),
    });
    expect(await ran(shop)).toEqual(log);
    expect(await page(port)).toBe('Yours from none');
    await writeFile(file, before);
    await ok(shop, 'service', 'uninstall', SERVICE, '--yes');
    expect(await page(port)).toBeUndefined();
  });
});

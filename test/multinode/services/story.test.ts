/** The seed's story: an assembly of three nodes, staged and converged twice as two services that nothing ties to one another or to the module. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../harness/child.ts';
import { freePort } from '../../harness/ports.ts';
import { findProgram } from '../../harness/programs.ts';
import { useStage } from '../../harness/use-stage.ts';
import { ok, openShop, page, ran, type Shop, stageShop, stateOf, up, writeModule } from './shop.ts';

const stage = useStage({ story: true });

describe('one assembly, staged twice', () => {
  let shop: Shop;
  let ports: { north: number; south: number };

  beforeAll(async () => {
    shop = await openShop(stage.current, { names: ['node0', 'node1', 'node2'], tags: { node0: 'store', node1: 'web', node2: 'web' } });
    ports = { north: await freePort(), south: await freePort() };
  });

  it('makes two services', async () => {
    await ok(shop, 'module', 'install', shop.module);
    for (const name of ['north', 'south'] as const) {
      // both pages of a service share this machine, so each has a port of its own
      await stageShop(shop, 'three', name, '--set', `port=${ports[name]}`, '--set', `text=${name}`);
      await ok(shop, 'service', 'set', name, 'page.on=tags=web', 'page.count=1');
      await ok(shop, 'converge', name, '--yes');
    }
    const services = Object.keys(await up(shop)).map((one) => one.split('@')[0]);
    expect(services).toEqual(['north.page-1', 'north.store', 'south.page-1', 'south.store']);
    expect(await page(ports.north)).toBe('north from shelves');
    expect(await page(ports.south)).toBe('south from shelves');
  });

  it('does nothing when there is nothing to do', async () => {
    const before = await ran(shop);
    const said = await ok(shop, 'converge', 'north', '--yes');
    expect(said).toMatch(/nothing to run/i);
    expect(await ran(shop)).toEqual(before);
  });

  it('leaves both as they are when the module changes', async () => {
    const before = await ran(shop);
    await writeModule(shop.module, '1.1.0', { ' from ': ' out of ' });
    await ok(shop, 'module', 'install', shop.module);
    for (const name of ['north', 'south']) expect(await ok(shop, 'converge', name, '--yes')).toMatch(/nothing to run/i);
    expect(await ran(shop)).toEqual(before);
    expect(await page(ports.north)).toBe('north from shelves');
  });

  it('changes the one that was edited, and only that', async () => {
    const before = await ran(shop);
    const file = join((await stateOf(shop, 'north')).directory, 'dtk.service.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace('text: north', 'text: northern lights'));
    expect(await ok(shop, 'service', 'diff', 'north')).toMatch(/text[\s\S]*north[\s\S]*northern lights/);
    await ok(shop, 'converge', 'north', '--yes', '-m', 'Say it in full');
    expect((await ran(shop)).slice(before.length).map((line) => line.split(' ').slice(1).join(' '))).toEqual(['page-1 converge']);
    expect(await page(ports.north)).toBe('northern lights from shelves');
    expect(await page(ports.south)).toBe('south from shelves');
    expect((await stateOf(shop, 'north')).resources.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'store applied',
      'page-1 applied',
    ]);
  });

  it('runs what an edited copy of the module says, in that service alone', async () => {
    const script = join((await stateOf(shop, 'south')).directory, 'modules/acme/web/bin/up');
    await writeFile(script, (await readFile(script, 'utf8')).replace(' from ', ' within '));
    await ok(shop, 'converge', 'south', '--yes');
    expect(await page(ports.south)).toBe('south within shelves');
    await ok(shop, 'service', 'exec', 'north', 'page.restart');
    expect(await page(ports.north)).toBe('northern lights from shelves');
  });

  it('takes in the newer module where that is asked for', async () => {
    expect(await ok(shop, 'service', 'diff-module', 'north')).toMatch(/acme\/web +1\.0\.0 +none +1\.1\.0/);
    expect(await ok(shop, 'service', 'diff-module', 'south')).toMatch(/bin\/up/);
    await ok(shop, 'service', 'pull-module', 'north', 'acme/web');
    await ok(shop, 'converge', 'north', '--yes');
    expect(await page(ports.north)).toBe('northern lights out of shelves');
    expect(await page(ports.south)).toBe('south within shelves');
  });

  it('tells the story in its repository', async (context) => {
    const git = findProgram('git');
    if (git === undefined) return context.skip('SKIPPED: there is no git');
    const { directory } = await stateOf(shop, 'north');
    const { stdout } = await run({ command: git, args: ['-C', directory, 'log', '--format=%an %s', 'main'] });
    const lines = stdout.trim().split('\n').reverse();
    expect(lines[0]).toMatch(/^ops@node0 Stage acme\/web:three 1\.0\.0 as north/);
    expect(lines).toContain('ops@node0 Say it in full');
    expect(lines.every((line) => line.startsWith('ops@node0 '))).toBe(true);
    const status = await run({ command: git, args: ['-C', directory, 'status', '--porcelain'] });
    expect(status.stdout).toBe('');
  });

  it('restores what runs when a bad change is rolled back', async () => {
    await ok(shop, 'service', 'set', 'north', 'page.text=broken');
    await ok(shop, 'converge', 'north', '--yes');
    expect(await page(ports.north)).toBe('broken out of shelves');
    await ok(shop, 'service', 'rollback', 'north', 'HEAD~1', '--yes');
    expect(await page(ports.north)).toBe('northern lights out of shelves');
  });

  it('finds drift, and says where', async () => {
    expect(await ok(shop, 'service', 'drift', 'north')).toMatch(/page-1/);
    await writeFile(
      join(
        shop.left,
        Object.keys(await up(shop)).find((name) => name.startsWith('north.page-1')) === undefined
          ? 'none'
          : `up-${Object.keys(await up(shop)).find((name) => name.startsWith('north.page-1'))}`,
      ),
      'by hand',
    );
    const { code, stdout } = await shop.ops.cli('service', 'drift', 'north');
    expect({ code, stdout }).toMatchObject({
      code: expect.not.stringMatching(/^0$/),
      stdout: expect.stringMatching(/page-1[^\n]*(drift|not)/i),
    });
    expect(code).not.toBe(0);
  });

  it('refuses what cannot be, all at once, and leaves everything as it was', async () => {
    const before = await ran(shop);
    await ok(shop, 'service', 'set', 'north', 'page.count=7');
    const file = join((await stateOf(shop, 'north')).directory, 'dtk.service.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace(`port: ${ports.north}`, 'port: 99999'));
    await ok(shop, 'service', 'add-component', 'north', 'extra', '--type', 'Store');
    const { code, stdout, stderr } = await shop.ops.cli('converge', 'north', '--yes');
    expect(code).toBe(25);
    expect(`${stdout}${stderr}`).toMatch(/ILLEGAL_VALUE +parameters\.port \(dtk\.service\.yaml:\d+:\d+\)/);
    expect(`${stdout}${stderr}`).toMatch(/REQUIRED_UNSET +extra\.dir/);
    expect(`${stdout}${stderr}`).toMatch(/NODE_LIMIT +page\.on/);
    expect(await ran(shop)).toEqual(before);
    await ok(shop, 'service', 'rollback', 'north', 'HEAD', '--discard', '--yes');
  });

  it('goes, and its history stays', async () => {
    await ok(shop, 'service', 'delete', 'south', '--yes');
    expect(Object.keys(await up(shop)).every((name) => name.startsWith('north.'))).toBe(true);
    expect(await page(ports.south)).toBeUndefined();
    expect((await stateOf(shop, 'south')).phase).toBe('Deleted');
    await ok(shop, 'converge', 'south', '--yes');
    expect(await page(ports.south)).toBe('south within shelves');
    const said = await ok(shop, 'service', 'uninstall', 'south', '--yes');
    expect(await shop.home.get('serviceinstance', 'south')).toBeUndefined();
    expect((await shop.home.list('resources')).map(({ metadata }) => metadata.name)).toEqual(['north.page-1', 'north.store']);
    const kept = /kept in (\S+)/.exec(said)?.[1] ?? '';
    expect(await readFile(join(kept, 'dtk.service.yaml'), 'utf8')).toContain('name: south');
    await ok(shop, 'service', 'uninstall', 'north', '--yes');
    expect(await up(shop)).toEqual({});
  });
});

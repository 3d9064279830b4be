/** Modules between real daemons: installed on one, fetched and verified by others, pinned, altered, upgraded, removed. */
import { appendFile, chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifyBundle } from '../../../protocol/orders/signed-bundle.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { addUser, grant } from '../../harness/user.ts';
import { deploy, type Field, MODEL, mark, marked, ok, openField } from './field.ts';

/** A reference as texts have it. */
const filledIn = (name: string) => `$\{${name}}`;

const stage = useStage();

describe('a module', () => {
  let field: Field;
  let owner: Site;
  let target: Site;
  let directory: string;

  beforeAll(async () => {
    field = await openField(stage.current, { names: ['owner', 'target', 'third'] });
    const [first, second] = field.sites;
    if (first === undefined || second === undefined) throw new Error('there are too few sites');
    [owner, target] = [first, second];
    directory = join(stage.current.directory, 'module');
    await mkdir(join(directory, 'bin'), { recursive: true });
    await writeModule('1.0.0', 'first');
    await ok(owner, 'module', 'install', directory);
    await deploy(field, 'Ticker', 'clock', [owner, target]);
  });

  async function writeModule(version: string, word: string): Promise<void> {
    const commands = {
      Tick: { script: { file: 'bin/tick', args: [filledIn('resource.name')] } },
      install: { script: { inline: 'echo installing' } },
    };
    const types = { Ticker: { extends: 'Service', commands, templates: [{ from: 'conf', to: 'etc/conf' }] } };
    await writeFile(join(directory, 'dtk.module.yaml'), JSON.stringify({ dsl_version: '1.0', module: 'test/ticker', version, types }));
    await writeFile(join(directory, 'conf'), `name=${filledIn('resource.name')} node=${filledIn('node.name')}\n`);
    await rm(join(directory, 'bin/tick'), { force: true });
    await writeFile(join(directory, 'bin/tick'), `#!/bin/sh\n${mark(field, 'ticks')}\necho "${word} $(cat etc/conf) $1"\n`);
    await chmod(join(directory, 'bin/tick'), 0o755);
  }

  const tick = (on: string) => field.ops.cli('ctl', '-I', `name=${on}`, '-t', 'Ticker', '-r', 'clock', '-c', 'Tick');

  it('is fetched by the node that runs its commands, and its files are where its scripts look for them', async () => {
    expect(await tick('target')).toMatchObject({ code: 0, stdout: expect.stringContaining('first name=clock node=target') });
    expect(await tick('owner')).toMatchObject({ code: 0, stdout: expect.stringContaining('first name=clock node=owner') });
    expect(await marked(field, 'ticks')).toEqual(['target', 'owner']);
    expect(await target.list('modules')).toEqual([]);
  });

  it('is run by whoever may, from a node that has neither module nor model', async () => {
    const third = field.sites[2];
    if (third === undefined) throw new Error('there is no third site');
    const guest = await addUser(third, 'guest');
    for (const site of [owner, target]) await grant(site, guest, ['READ', 'EXECUTE'], { kind: 'resources.dtkd.dev' });
    const ran = await guest.cli('ctl', '-I', 'name=target', '-t', 'Ticker', '-r', 'clock', '-c', 'Tick');
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('first name=clock node=target') });
  });

  it('is told of in a signed bundle, to those who may read the resource', async () => {
    const path = `/apis/dtkd.dev/v1/namespaces/owner/resources/clock/bundle`;
    const key = Reflect.get(Object((await owner.get('node', 'owner'))?.['status']), 'signingKey');
    const answer = await field.ops.call(path);
    const { bundle } = verifyBundle(Buffer.from(String(Reflect.get(Object(answer), 'bundle')), 'base64'), String(key));
    expect(bundle.resources[0]).toMatchObject({ object: 'clock', model: MODEL, type: 'Ticker' });
    expect(bundle.resources[0]?.deployments.map(({ node, signingKey }) => [node, signingKey !== undefined])).toEqual([
      ['owner', true],
      ['target', true],
    ]);
    const nobody = await addUser(owner, 'nobody');
    await expect(nobody.call(path)).rejects.toThrow();
  });

  it('that was altered on the disk of a node is not run there', async () => {
    const before = (await marked(field, 'ticks')).length;
    const root = join(target.dir, 'modules');
    const [digest = ''] = await readdir(root);
    const file = join(root, digest, 'bin/tick');
    await chmod(file, 0o755);
    await appendFile(file, 'echo evil\n');
    await chmod(file, 0o555);
    const refused = await tick('target');
    expect(refused.code).not.toBe(0);
    expect(refused.stdout + refused.stderr).toContain('was altered on this node');
    expect(await marked(field, 'ticks')).toHaveLength(before);
    await rm(join(root, digest), { recursive: true });
    expect((await tick('target')).code).toBe(0);
  });

  it('changes with a newer version, and goes when nothing is of its types any more', async () => {
    await writeModule('1.1.0', 'second');
    expect(await owner.cli('module', 'install', directory, '--dry-run')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('types changed: Ticker'),
    });
    await ok(owner, 'module', 'install', directory);
    // the older version stays, to be staged
    expect((await owner.list('modules')).map(({ metadata, spec }) => [metadata.name, Reflect.get(Object(spec), 'active')])).toEqual([
      ['test.ticker-1.0.0', false],
      ['test.ticker-1.1.0', true],
    ]);
    expect(await tick('target')).toMatchObject({ code: 0, stdout: expect.stringContaining('second name=clock node=target') });
    const kept = await owner.cli('module', 'rm', 'test/ticker');
    expect(kept).toMatchObject({ code: 6, stderr: expect.stringContaining('its types are in use (1): resources/clock') });
    const edited = await owner.cli('patch', 'type', 'ticker', '-p', '{"spec":{"description":"mine"}}');
    expect(edited).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('comes from module test/ticker 1.1.0, and only that can change it'),
    });
    expect((await owner.cli('delete', 'type', 'ticker', '--cascade')).code).toBe(6);
    await ok(owner, 'delete', 'resource', 'clock');
    await ok(owner, 'module', 'rm', 'test/ticker');
    expect(await owner.get('type', 'ticker')).toBeUndefined();
    expect(await owner.list('modules')).toEqual([]);
  });

  it('is there again after a restart', async () => {
    await ok(owner, 'module', 'install', directory);
    await owner.restart();
    expect((await owner.cli('module', 'show', 'test/ticker')).stdout).toContain('Type Ticker, a Service');
    expect((await owner.cli('module', 'install', directory)).stdout).toContain('its types are unchanged');
  });
});

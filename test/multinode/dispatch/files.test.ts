/** Files to nodes and back, secrets that commands get, and orders that wait for a node that is away: on real daemons, from the command line. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { useStage } from '../../harness/use-stage.ts';
import { grant } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';
import { deploy, type Field, MODEL, makeType, mark, marked, ok, openField, partsOf, shell } from './field.ts';

const stage = useStage({ story: true });

describe('files, secrets and absent nodes', () => {
  let field: Field;
  let work: string;
  const mib = randomBytes(3 * 1024 * 1024);

  beforeAll(async () => {
    field = await openField(stage.current, { names: ['home', 'web1', 'web2'], tags: { web1: 'web', web2: 'web' } });
    for (const site of field.sites.slice(1)) await grant(site, field.ops, ['EXECUTE'], { kind: 'cp' });
    await makeType(field, 'Box', {
      Tell: {
        script: {
          inline: `test "$SECRET" = 'a very quiet word' && test "$(cat "$SECRET_FILE")" = "$SECRET" && ${mark(field, 'told')}; echo "it is $SECRET"`,
          secrets: [
            { name: 'word', as: 'env', variable: 'SECRET' },
            { name: 'word', variable: 'SECRET_FILE' },
          ],
        },
      },
      Touch: shell(mark(field, 'touched')),
    });
    await deploy(field, 'Box', 'box', field.sites);
    work = join(stage.current.directory, 'work');
    for (const name of ['', 'web1', 'web2']) await mkdir(join(work, name), { recursive: true });
    await writeFile(join(work, 'one.bin'), mib);
    await chmod(join(work, 'one.bin'), 0o640);
  });

  it('go to nodes by tag, with their modes, and are there whole', async () => {
    const { code, stdout, stderr } = await field.ops.cli('cp', join(work, 'one.bin'), `tags=web:${join(work, 'copied.bin')}`);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('copied.bin (3.0 MiB)');
    // Both sites are on this machine: what counts is that it was put there.
    expect((await readFile(join(work, 'copied.bin'))).equals(mib)).toBe(true);
    expect((await stat(join(work, 'copied.bin'))).mode & 0o777).toBe(0o640);
    expect((await readdir(work)).filter((name) => name.endsWith('.dtkd'))).toEqual([]);
  });

  it('come back from one node, and from several into directories', async () => {
    await writeFile(join(work, 'app.log'), mib);
    expect(await field.ops.cli('cp', `web1:${join(work, 'app.log')}`, join(work, 'got.log'))).toMatchObject({ code: 0 });
    expect((await readFile(join(work, 'got.log'))).equals(mib)).toBe(true);
    expect(await field.ops.cli('cp', `tags=web:${join(work, 'app.log')}`, join(work, 'logs'))).toMatchObject({ code: 0 });
    expect((await readdir(join(work, 'logs'))).sort()).toEqual(['web1', 'web2']);
    expect((await readFile(join(work, 'logs', 'web2', 'app.log'))).equals(mib)).toBe(true);
  });

  it('are refused where no capability names cp, and fail with the reason where they cannot be put', async () => {
    const refused = await field.ops.cli('cp', join(work, 'one.bin'), `home:${join(work, 'no.bin')}`);
    expect(refused).toMatchObject({ code: 20, stderr: expect.stringContaining('refused') });
    const failed = await field.ops.cli('cp', join(work, 'one.bin'), `web1:${join(work, 'absent', 'no.bin')}`);
    expect(failed).toMatchObject({ code: 20, stderr: expect.stringContaining('no directory') });
    const gone = await field.ops.cli('cp', `web1:${join(work, 'absent')}`, work);
    expect(gone).toMatchObject({ code: 20, stderr: expect.stringContaining('there is no') });
    const directory = await field.ops.cli('cp', `web1:${work}`, work);
    expect(directory).toMatchObject({ code: 20, stderr: expect.stringContaining('a directory') });
  });

  it('secrets reach a command and nothing else', async () => {
    const [home] = field.sites;
    if (home === undefined) throw new Error('a site');
    const set = await home.cliWith({ stdin: 'a very quiet word\n' }, 'secret', 'set', 'word', '--from-file', '-');
    expect(set).toMatchObject({ code: 0, stdout: 'Set word.\n' });
    const told = await field.ops.cli('run', 'Tell', 'box/box', '-m', MODEL);
    expect(told).toMatchObject({ code: 0 });
    expect(await marked(field, 'told')).toEqual(['home']);
    expect(told.stdout + told.stderr).not.toContain('quiet');
    const all = [
      await ok(home, 'get', 'secrets', '-o', 'yaml'),
      await ok(home, 'secret', 'ls'),
      await ok(home, 'get', 'executions', '-o', 'yaml'),
    ];
    for (const text of all) expect(text).not.toContain('quiet');
    expect(await ok(home, 'secret', 'rm', 'word')).toBe('Removed word.\n');
    expect((await field.ops.cli('run', 'Tell', 'box/box', '-m', MODEL)).code).not.toBe(0);
  });

  it('orders wait for a node that is away, and are delivered by another when the starter is gone', async () => {
    const [home, web1, web2] = field.sites;
    if (home === undefined || web1 === undefined || web2 === undefined) throw new Error('three sites');
    await web2.stop();
    const args = ['run', 'Touch', 'box/box', '-m', MODEL, '--on', 'name=web2', '--queue', '1h', '--detach'];
    const queued = await waitFor(
      async () => {
        const { code, stdout } = await field.ops.cli(...args);
        return code === 0 ? stdout.trim() : undefined;
      },
      { what: 'the order to be queued' },
    );
    await waitFor(async () => (await partsOf(field.ops, queued)).get('web2')?.holders?.includes('web1'), {
      what: 'another member to hold the order',
    });
    await home.stop();
    await web2.restart();
    await waitFor(async () => (await marked(field, 'touched')).length > 0, { what: 'the order to be carried out' });
    await home.restart();
    await waitFor(async () => (await partsOf(field.ops, queued)).get('web2')?.outcome === 'succeeded', {
      what: 'the starter to learn of it',
    });
    expect(await marked(field, 'touched')).toEqual(['web2']);
  });
});

import { chmod, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../harness/child.ts';
import type { Network } from '../harness/network.ts';
import { REPOSITORY } from '../harness/node-binary.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';
import { Buildah, buildImpossible, type ImageConfig } from './buildah.ts';
import { Container } from './container.ts';

const stage = useStage({ story: true });
const why = await buildImpossible();
const IMAGE = 'localhost/dtkd:test';
/** What dtkd adds to its base, in bytes. Node is three quarters of it. */
const MAX_ADDED = 180 * 1024 * 1024;
const EPOCH = '1700000000';

describe.skipIf(why !== undefined)(`the image${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  let buildah: Buildah;
  let config: ImageConfig;
  let version: string;
  let network: Network;
  let sites: [Container, Container];

  beforeAll(async () => {
    ({ version } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string });
    buildah = await Buildah.open(stage.current.directory);
    await buildah.build(IMAGE, { SOURCE_DATE_EPOCH: EPOCH, REVISION: 'tested' });
    config = await buildah.config(IMAGE);
    // Another user has to come through to its volume.
    await chmod(stage.current.directory, 0o755);
    network = await stage.current.network({ segments: { lan: ['one', 'two'] } });
    const make = async (name: string): Promise<Container> => {
      const names = join(stage.current.directory, `hosts-${name}`);
      await writeFile(names, `127.0.0.1 localhost\n${['one', 'two'].map((other) => `${network.address(other)} ${other}`).join('\n')}\n`);
      const { directory } = stage.current;
      return Container.create(buildah, {
        ...{ name, image: IMAGE, config, names, netns: network.inside(name).netns },
        ...{ data: join(directory, `data-${name}`), logFile: join(directory, `${name}.out`), env: { DTKD_NAME: name } },
      });
    };
    sites = [await make('one'), await make('two')];
  });
  afterAll(() => Promise.all((sites ?? []).map((site) => site.close())));

  it('says how it is to be run', () => {
    expect(config).toMatchObject({
      User: '10001:10001',
      Entrypoint: ['tini', '--', 'dtkd'],
      Cmd: ['up'],
      StopSignal: 'SIGTERM',
      WorkingDir: '/var/lib/dtkd',
      Volumes: { '/var/lib/dtkd': {} },
      ExposedPorts: { '7701/tcp': {} },
      Healthcheck: { Test: ['CMD', 'dtkd-healthcheck'] },
      Labels: {
        'org.opencontainers.image.title': 'dtkd',
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.revision': 'tested',
      },
    });
    expect(config.Env.filter((line) => /token|secret|npm|node/i.test(line))).toEqual([]);
  });

  /** Runs a script in a mount namespace with the files of the image at $root. */
  const look = async (script: string): Promise<string> => {
    const line = `set -e; root=$("$@" mount one); cd "$root"; ${script}`;
    const result = await run({ command: 'unshare', args: ['--mount', 'sh', '-c', line, 'sh', ...buildah.command] });
    expect(result, script).toMatchObject({ code: 0 });
    return result.stdout.trim();
  };

  it('adds to its base one Node, dtkd and an init, of a size that is bounded', async () => {
    const added = ['opt/dtkd', 'usr/bin/tini', 'usr/local'];
    const bytes = (await look(`du --summarize --block-size=1 ${added.join(' ')}`)).split('\n').map((line) => Number(line.split('\t')[0]));
    const total = Number((await look('du --summarize --one-file-system --block-size=1 .')).split('\t')[0]);
    const sum = bytes.reduce((all, each) => all + each, 0);
    console.log(`the image: ${megabytes(total)}, of which ${megabytes(sum)} are on top of the base`);
    expect(sum).toBeLessThan(MAX_ADDED);
    expect(await look(`find . -xdev -type f -name node -perm /111`)).toBe('./opt/dtkd/node_modules/node/bin/node');
    expect(await look(`find . -xdev '(' -name npm -o -name '.npmrc' -o -name '_cacache' -o -name typescript -o -name vitest ')'`)).toBe('');
    expect(await look(`find opt usr/local usr/bin/tini -newermt @${Number(EPOCH) + 1} -type f`)).toBe('');
  });

  it('has no file that its user could change, but its volume, and none that gives more rights', async () => {
    expect(await look('find . -xdev -user 10001')).toBe('./var/lib/dtkd');
    expect(await look('stat --format=%a:%u:%g var/lib/dtkd')).toBe('700:10001:10001');
    expect(await look('find opt usr/local usr/bin/tini -xdev -perm /6000')).toBe('');
    expect(await look(`find opt usr/local usr/bin/tini -xdev -perm /022 ! -type l`)).toBe('');
  });

  it('runs as its user on a read-only root file system, with an init before it, and tells when it is well', async () => {
    const [one] = sites;
    await one.start();
    await healthy(one);
    expect(await readFile(`/proc/${one.first}/comm`, 'utf8')).toBe('tini\n');
    const status = await readFile(`/proc/${one.first}/status`, 'utf8');
    expect(status).toMatch(/^CapEff:\s+0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    expect((await one.exec('id', '--user')).stdout).toBe('10001\n');
    expect(await one.exec('touch', '/opt/dtkd/x')).toMatchObject({ code: 1, stderr: expect.stringContaining('Read-only file system') });
    expect(await one.exec('dtkd', 'version')).toMatchObject({ code: 0, stdout: expect.stringContaining(`dtkd ${version}`) });
    expect(await one.exec('dtkd', 'status')).toMatchObject({ code: 0, stderr: '' });
    // Nothing else was to be written, and nothing failed in silence.
    expect(one.child.stderr).not.toMatch(/EROFS|EACCES|EPERM/);
  });

  it('collects processes whose parents have gone', async () => {
    const [one] = sites;
    const zombies = 'cat /proc/[0-9]*/stat 2>/dev/null | grep -c ") Z " || true';
    expect(await one.exec('sh', '-c', '(sh -c "sleep 0.2; exit 0" &) ; (true &)')).toMatchObject({ code: 0 });
    await waitFor(async () => (await one.exec('sh', '-c', zombies)).stdout === '0\n', { what: 'no zombie to be left' });
    await waitFor(async () => (await one.exec('sh', '-c', 'cat /proc/[0-9]*/comm | grep -c sleep || true')).stdout === '0\n', {
      what: 'sleep to end',
    });
  });

  it('forms a domain with another of it', async () => {
    const [one, two] = sites;
    await two.start();
    await healthy(two);
    expect(await one.exec('dtkd', 'domain', 'create', 'contained')).toMatchObject({ code: 0 });
    const { stdout: token } = await one.exec('dtkd', 'domain', 'invite', 'contained', '--quiet');
    expect(await two.execWith(token, 'dtkd', 'domain', 'join', 'one', '-', '--wait')).toMatchObject({ code: 0 });
    for (const site of sites) {
      await waitFor(async () => /direct/.test((await site.exec('dtkd', 'get', 'dtpeers', '-o', 'wide')).stdout), {
        what: 'both to be connected',
      });
      await healthy(site);
    }
  });

  it('stops in order, says that it is not well then, and is the same node when it comes back', async () => {
    const [one, two] = sites;
    const checked = await run({
      command: join(REPOSITORY, 'docker', 'healthcheck'),
      args: [],
      env: { DTKD_DATA: one.options.data },
    });
    expect(checked).toMatchObject({ code: 0, stdout: '' });
    expect(await one.stop()).toBe(0);
    const without = await run({ command: join(REPOSITORY, 'docker', 'healthcheck'), args: [], env: { DTKD_DATA: one.options.data } });
    expect(without).toMatchObject({ code: 1, stdout: expect.stringContaining('not ready') });
    await one.start();
    await healthy(one);
    await waitFor(async () => /direct/.test((await two.exec('dtkd', 'get', 'dtpeers', '-o', 'wide')).stdout), {
      what: 'the other to have it back',
    });
    expect(await Promise.all(sites.map((site) => site.stop()))).toEqual([0, 0]);
    expect((await stat(join(one.options.data, 'admin.token'))).uid).toBe(10001);
    // What belongs to another user goes before the stage.
    for (const { options } of sites) await rm(options.data, { recursive: true });
  });
});

async function healthy(site: Container): Promise<void> {
  await site.child.until(async () => (await site.exec('dtkd-healthcheck')).code === 0, {
    what: `${site.options.name} to be healthy`,
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
}

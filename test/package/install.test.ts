import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { NODE, REPOSITORY } from '../harness/node-binary.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { bothConnected, formDomain } from './domain.ts';
import { scriptOf } from './guide.ts';
import { exec, machine } from './machine.ts';

const stage = useStage();

/** Files that do something when they are loaded. */
const PROGRAMS: ReadonlySet<string> = new Set(['cli/main.js', 'daemon/src/main.js', 'daemon/src/restore.js']);
/** Bytes of the packed package: the program with its libraries, its guides and its examples. */
const MAX_PACKED = 2.5 * 1024 * 1024;
const MAX_OUTPUT = 16 * 1024 * 1024;

/** The package as users get it: packed, installed globally somewhere else, run by the Node that the machine has. */
describe('the packed package', () => {
  let dtkd: string;
  let prefix: string;
  let tarball: string;
  let installOutput: string;
  let sites: [Site, Site];
  const env = machine();

  const install = async (file: string): Promise<string> => {
    const flags = ['--global', '--prefix', prefix, '--no-audit', '--no-fund', '--prefer-offline'];
    const { stdout, stderr } = await exec('npm', ['install', ...flags, file], { cwd: prefix, env, maxBuffer: MAX_OUTPUT });
    return `${stdout}${stderr}`;
  };

  /** As the guide has it, where the package is, with npm's prefix in the directory of the test. */
  const follow = async (name: string): Promise<string> => {
    const { version } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string };
    const { stdout, stderr } = await exec('sh', ['-euc', await scriptOf(name, version)], {
      cwd: stage.current.directory,
      env: {
        ...env,
        npm_config_prefix: prefix,
        npm_config_prefer_offline: 'true',
        PATH: `${join(prefix, 'bin')}${delimiter}${env['PATH']}`,
      },
      maxBuffer: MAX_OUTPUT,
    });
    return `${stdout}${stderr}`;
  };

  beforeAll(async () => {
    const { directory } = stage.current;
    const packed = await exec('npm', ['pack', '--json', '--pack-destination', directory], { cwd: REPOSITORY, env, maxBuffer: MAX_OUTPUT });
    const [{ filename }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('[\n'))) as [{ filename: string }];
    tarball = join(directory, filename);
    prefix = join(directory, 'prefix');
    await exec('mkdir', [prefix]);
    installOutput = await follow('npminstall');
    dtkd = join(prefix, 'bin', 'dtkd');
  });

  it('is small: no tests, no sources, no maps', async () => {
    expect((await stat(tarball)).size).toBeLessThan(MAX_PACKED);
    const { stdout } = await exec('tar', ['tzf', tarball], { maxBuffer: MAX_OUTPUT });
    const names = stdout.split('\n').map((name) => name.replace(/^package\//, ''));
    expect(names.filter((name) => /\.(ts|map|tsbuildinfo|tgz|deb)$|(^|\/)(test|bench|node_modules)\//.test(name))).toEqual([]);
    const tops = [...new Set(names.map((name) => name.split('/')[0]))].filter((name) => name !== '').sort();
    expect(tops).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'bin', 'dist', 'docs', 'examples', 'package.json', 'packaging']);
  });

  it('installs without parts to warn of: deprecated ones, or such that want a newer Node than the machine has', () => {
    expect(installOutput).not.toMatch(/npm (warn|error) deprecated|EBADENGINE/i);
  });

  it('brings its libraries in its own few files, with their licences', async () => {
    const installed = await readdir(join(prefix, 'lib/node_modules/dtkd/node_modules'));
    expect(installed).toEqual(expect.arrayContaining(['classic-level', 'node']));
    expect(installed).not.toContain('libp2p');
    expect(await readFile(join(prefix, 'lib/node_modules/dtkd/dist/third-party-licences.txt'), 'utf8')).toMatch(/^libp2p [0-9.]+, /m);
  });

  it('has whatever its parts that are loaded on their first use import', async () => {
    const dist = join(prefix, 'lib/node_modules/dtkd/dist');
    const parts = (await readdir(dist, { recursive: true })).filter((name) => name.endsWith('.js') && !PROGRAMS.has(name));
    expect(parts).toContain('daemon/src/mesh/host/libp2p-host.js');
    const script = parts.map((name) => `await import(${JSON.stringify(join(dist, name))});`).join('\n');
    await exec(NODE, ['--input-type=module', '--eval', `${script}\nprocess.exit(0);`], { env });
  });

  it('tells its version, and has a manual page', async () => {
    const { stdout } = await exec(dtkd, ['version'], { env });
    expect(stdout).toMatch(/\d+\.\d+\.\d+/);
    expect(await readFile(join(prefix, 'share/man/man1/dtkd.1'), 'utf8')).toMatch(/^\.TH DTKD 1/);
  });

  it('runs two daemons that form a domain and share a service', async () => {
    const options = { program: [dtkd], env };
    sites = (await Promise.all(['first', 'second'].map((name) => stage.current.start({ name, ...options })))) as [Site, Site];
    await formDomain(stage.current, 'packed', sites);
  });

  it('is upgraded while its daemons run, and they are the same nodes when they are started again', async () => {
    const unpacked = join(stage.current.directory, 'next');
    await exec('mkdir', [unpacked]);
    await exec('tar', ['xzf', tarball, '-C', unpacked]);
    const description = join(unpacked, 'package', 'package.json');
    await writeFile(description, (await readFile(description, 'utf8')).replace(/"version": "[^"]+"/, '"version": "99.0.0"'));
    const next = join(stage.current.directory, 'dtkd-99.0.0.tgz');
    await exec('tar', ['czf', next, '-C', unpacked, 'package']);
    await install(next);
    expect((await exec(dtkd, ['version', '--client'], { env })).stdout).toContain('99.0.0');
    // Those that run do so still, with whatever of the program they had not loaded yet.
    for (const site of sites) expect(await site.cli('status')).toMatchObject({ code: 0 });
    for (const site of sites) await site.restart();
    await bothConnected('packed', sites);
    expect(await sites[0].call('/version')).toMatchObject({ gitVersion: expect.stringContaining('99.0.0') });
  });

  it('leaves nothing of itself when it is uninstalled, and the data of its nodes', async () => {
    await Promise.all(sites.map((site) => site.stop()));
    await follow('npmremove');
    const left = await readdir(prefix, { recursive: true, withFileTypes: true });
    expect(left.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))).toEqual([]);
    expect(await readdir(sites[0].dir)).toContain('db');
  });
});

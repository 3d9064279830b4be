import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../harness/child.ts';
import { REPOSITORY } from '../harness/node-binary.ts';
import { missing } from '../harness/programs.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { bothConnected, formDomain } from './domain.ts';
import { scriptOf } from './guide.ts';
import { CopiedMachine, exec, machine } from './machine.ts';

const stage = useStage();
const MAX_OUTPUT = 16 * 1024 * 1024;
/** Bytes of a package: Node is three quarters of it. */
const MAX_PACKED = 64 * 1024 * 1024;
/** `e_machine` of ELF. */
const MACHINES = { x64: 0x3e, arm64: 0xb7 };
/** Of the names of files: what is not run. */
const NOT_RUN = /\.(d\.ts|d\.mts|map|cc|h|bare)$|node_modules\/@types\/|\.musl\.node$|prebuilds\/(?!linux-(x64|arm64)\/)./;
const impossible = await CopiedMachine.impossible();
const withoutLintian = missing(['lintian']);

let out: string;
let version: string;

async function makePackages(to: string, ...flags: string[]): Promise<string> {
  await exec('npm', ['run', '--silent', 'dist', '--', '--out', to, ...flags], { cwd: REPOSITORY, env: machine(), maxBuffer: MAX_OUTPUT });
  return readFile(join(to, 'SHA256SUMS'), 'utf8');
}

beforeAll(async () => {
  out = join(stage.current.directory, 'packages');
  await makePackages(out);
  ({ version } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string });
});

/** Names of the files of a tarball, and the machine that each ELF file is for. */
async function contentsOf(file: string): Promise<{ names: string[]; machines: Map<string, number> }> {
  const names: string[] = [];
  const machines = new Map<string, number>();
  const tar = createReadStream(file).pipe(createGunzip()).pipe(extract());
  for await (const entry of tar) {
    names.push(entry.header.name);
    let first: Buffer | undefined;
    for await (const chunk of entry) if (first === undefined && Buffer.isBuffer(chunk)) first = chunk;
    if (first?.subarray(0, 4).toString('latin1') === '\x7fELF') machines.set(entry.header.name, first.readUInt16LE(18));
  }
  return { names, machines };
}

describe('packages for machines without a registry', () => {
  it('are four, with their digests', async () => {
    expect((await readdir(out)).sort()).toEqual([
      'SHA256SUMS',
      `dtkd-${version}-linux-arm64.tar.gz`,
      `dtkd-${version}-linux-x64.tar.gz`,
      `dtkd_${version}_amd64.deb`,
      `dtkd_${version}_arm64.deb`,
    ]);
    await exec('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: out });
  });

  it.each(['x64', 'arm64'] as const)('have for %s only what runs there', async (architecture) => {
    const file = join(out, `dtkd-${version}-linux-${architecture}.tar.gz`);
    expect((await stat(file)).size).toBeLessThan(MAX_PACKED);
    const { names, machines } = await contentsOf(file);
    expect(names.filter((name) => NOT_RUN.test(name))).toEqual([]);
    const paths = names.map((name) => name.replace(/\/$/, ''));
    expect(paths).toEqual([...paths].sort());
    // Node, the database's addon and the decoder's, and nothing for anybody else.
    expect(machines.size).toBeGreaterThanOrEqual(3);
    expect(new Set(machines.values())).toEqual(new Set([MACHINES[architecture]]));
    expect([...machines.keys()].filter((name) => name.endsWith('/node_modules/node/bin/node'))).toHaveLength(1);
  });

  it('are the same bytes when they are made again', async () => {
    const before = await readFile(join(out, 'SHA256SUMS'), 'utf8');
    const again = await makePackages(join(stage.current.directory, 'again'), '--arch', 'arm64');
    expect(before.split('\n').filter((line) => line.includes('arm64') || line === '')).toEqual(again.split('\n'));
  });

  it('refuse an architecture that there is no package for', async () => {
    const tried = await run({ command: 'npm', args: ['run', '--silent', 'dist', '--', '--arch', 'vax'], cwd: REPOSITORY, env: machine() });
    expect(tried.code).not.toBe(0);
    expect(tried.stderr).toContain('there are: x64, arm64');
  });
});

describe.skipIf(process.arch !== 'x64' && process.arch !== 'arm64')('the tarball', () => {
  it('runs two daemons where there is no Node, with an empty environment', async () => {
    const { directory } = stage.current;
    await exec('tar', ['xzf', join(out, `dtkd-${version}-linux-${process.arch}.tar.gz`), '-C', directory]);
    const dtkd = join(directory, `dtkd-${version}-linux-${process.arch}`, 'bin', 'dtkd');
    const options = { program: [dtkd], wrapper: ['/usr/bin/env', '-i', `HOME=${directory}`, 'PATH=/nowhere'] };
    const sites = (await Promise.all(['tar0', 'tar1'].map((name) => stage.current.start({ name, ...options })))) as [Site, Site];
    await formDomain(stage.current, 'unpacked', sites);
    await Promise.all(sites.map((site) => site.stop()));
  });
});

describe.skipIf(impossible !== undefined)(`a machine without Node${impossible === undefined ? '' : ` (SKIPPED: ${impossible})`}`, () => {
  let copy: CopiedMachine;
  let sites: [Site, Site];
  const deb = (): string => join(out, `dtkd_${version}_${process.arch === 'x64' ? 'amd64' : process.arch}.deb`);
  let lintian: ReturnType<typeof run> | undefined;
  beforeAll(async () => {
    // It takes half a minute of one core, while the daemons mostly wait.
    if (withoutLintian === undefined) {
      lintian = run({ command: 'lintian', args: ['--fail-on', 'error', '--no-tag-display-limit', deb()], env: machine() });
    }
    copy = await CopiedMachine.create(join(stage.current.directory, 'machine'));
  });
  afterAll(() => copy?.close());

  const succeeds = async (...line: string[]): Promise<string> => {
    const result = await copy.run(...line);
    expect(result, line.join(' ')).toMatchObject({ code: 0 });
    return `${result.stdout}${result.stderr}`;
  };

  /** As the guide has it, in the directory of the packages. */
  const follow = async (name: string): Promise<string> =>
    succeeds('env', '-C', out, 'PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'sh', '-euc', await scriptOf(name, version));

  it('takes the tarball', async () => {
    expect(await follow('tarball')).toContain(`dtkd ${version}`);
  });

  it('takes the .deb with its user, and starts nothing where systemd does not run', async () => {
    await follow('debinstall');
    expect(await succeeds('getent', 'passwd', 'dtkd')).toMatch(/^dtkd:x:[0-9]+:[0-9]+:dtkd daemon:\/var\/lib\/dtkd:.*nologin$/m);
    await succeeds('getent', 'group', 'dtkd-operators');
    expect(await copy.run('sh', '-c', 'command -v node')).toMatchObject({ code: 127 });
    expect(await succeeds('dtkd', 'version')).toContain(`dtkd ${version}`);
    for (const path of ['/usr/lib/systemd/system/dtkd.service', '/usr/share/man/man1/dtkd.1.gz', '/usr/share/doc/dtkd/copyright'])
      await succeeds('test', '-s', path);
    expect(await succeeds('cat', '/usr/lib/systemd/system/dtkd.service')).toMatch(/^ExecStart=\/usr\/bin\/dtkd up$/m);
    // Only those who come from systemd start it.
    expect(await copy.run('test', '-e', '/var/lib/dtkd/endpoint.json')).toMatchObject({ code: 1 });
    expect(await succeeds('dpkg', '--verify', 'dtkd')).toBe('');
  });

  it('runs two daemons as that user, which form a domain', async () => {
    const asUser = [...copy.wrapper, '/usr/bin/setpriv', '--reuid=dtkd', '--regid=dtkd', '--init-groups', '--'];
    sites = (await Promise.all(
      ['deb0', 'deb1'].map(async (name) => {
        const dir = `/var/lib/dtkd/${name}`;
        await succeeds('install', '-d', '-o', 'dtkd', '-g', 'dtkd', '-m', '0750', dir);
        return stage.current.start({ name, dir, seenAt: join(copy.changes, dir), wrapper: asUser, program: ['/usr/bin/dtkd'] });
      }),
    )) as [Site, Site];
    await formDomain(stage.current, 'debian', sites);
  });

  it('upgrades while they run, and they are the same nodes when they are started again', async () => {
    await follow('debupgrade');
    for (const site of sites) expect(await site.cli('status')).toMatchObject({ code: 0 });
    for (const site of sites) await site.restart();
    await bothConnected('debian', sites);
    await Promise.all(sites.map((site) => site.stop()));
  });

  it('keeps data and settings when the .deb is removed, and deletes them when it is purged', async () => {
    await follow('debremove');
    await succeeds('test', '-d', '/var/lib/dtkd/deb0/db');
    await succeeds('test', '-f', '/etc/default/dtkd');
    expect(await copy.run('test', '-e', '/usr/lib/dtkd')).toMatchObject({ code: 1 });
    await follow('debpurge');
    for (const path of ['/var/lib/dtkd', '/etc/default/dtkd', '/usr/share/doc/dtkd'])
      expect(await copy.run('test', '-e', path), path).toMatchObject({ code: 1 });
    expect((await copy.run('dpkg', '--status', 'dtkd')).code).not.toBe(0);
  });

  it.skipIf(withoutLintian !== undefined)(
    `has a .deb that is in order, as lintian sees it${withoutLintian === undefined ? '' : ` (SKIPPED: ${withoutLintian})`}`,
    async () => {
      const found = await lintian;
      expect(found, `${found?.stdout}${found?.stderr}`).toMatchObject({ code: 0 });
    },
  );
});

import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { delimiter, join as joinPath } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { connected, expose, uriOf } from '../harness/domain.ts';
import { REPOSITORY } from '../harness/node-binary.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';

const exec = promisify(execFile);
const stage = useStage();

/** The surroundings of a user of this machine: without what `npm run` has put in front of the PATH. */
function machine(): NodeJS.ProcessEnv {
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((directory) => !directory.includes('node_modules') && !directory.includes('node-gyp-bin'));
  const kept = Object.entries(process.env).filter(
    ([key]) => !/^(npm_(package|lifecycle|command|execpath|node_execpath)|NODE_|VITEST|DTKD_|INIT_CWD)/.test(key),
  );
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter) };
}

/** Parts of libp2p that ask for a newer Node than the machine may have. npm tells so; they run on the Node that dtkd brings. */
const RUNS_ON_OUR_NODE: ReadonlySet<string> = new Set(['p-retry']);

/** The package as users get it: packed, installed somewhere else, run by the Node that the machine has. */
describe('the packed package', () => {
  let dtkd: string;
  let installOutput: string;
  const env = machine();

  beforeAll(async () => {
    const { directory } = stage.current;
    await exec('npm', ['run', 'build'], { cwd: REPOSITORY, env });
    const packed = await exec('npm', ['pack', '--json', '--pack-destination', directory], { cwd: REPOSITORY, env });
    const [{ filename }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('['))) as [{ filename: string }];
    const prefix = joinPath(directory, 'prefix');
    const installed = await exec(
      'npm',
      ['install', '--prefix', prefix, '--no-audit', '--no-fund', '--prefer-offline', joinPath(directory, filename)],
      { cwd: directory, env, maxBuffer: 16 * 1024 * 1024 },
    );
    installOutput = `${installed.stdout}${installed.stderr}`;
    dtkd = joinPath(prefix, 'node_modules', '.bin', 'dtkd');
  }, 600_000);

  it('installs without deprecated or vulnerable parts to warn of', () => {
    expect(installOutput).not.toMatch(/npm (warn|error) deprecated/i);
    const tooNew = [...installOutput.matchAll(/EBADENGINE +package: '(.+)@[^@']+'/g)].map(([, name]) => name);
    expect(tooNew.filter((name) => !RUNS_ON_OUR_NODE.has(name ?? ''))).toEqual([]);
  });

  it('has what runs and what an operator needs, and no tests', async () => {
    const root = joinPath(dtkd, '..', '..', 'dtkd');
    const names = await readdir(root);
    expect(names).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'bin', 'dist', 'docs', 'package.json', 'packaging']));
    expect(names).not.toContain('test');
    expect(names).not.toContain('daemon');
  });

  it('tells its version', async () => {
    const { stdout } = await exec(dtkd, ['version'], { env });
    expect(stdout).toMatch(/\d+\.\d+\.\d+/);
  });

  it('runs two daemons that form a domain and share a service', async () => {
    const options = { program: [dtkd], env };
    const [first, second] = (await Promise.all(['first', 'second'].map((name) => stage.current.start({ name, ...options })))) as [
      Site,
      Site,
    ];
    expect(await first.cli('domain', 'create', 'packed')).toMatchObject({ code: 0 });
    const invited = await first.cli('domain', 'invite', 'packed', '-o', 'json');
    const { token } = JSON.parse(invited.stdout) as { token: string };
    expect(await second.cliWith({ stdin: token }, 'domain', 'join', first.meshAddress, '-')).toMatchObject({ code: 0 });
    await Promise.all([connected(first, 'packed', [second]), connected(second, 'packed', [first])]);
    await expose(first, 'web', await stage.current.origin({ name: 'packed' }), 'packed');
    expect(await second.fetchUri(await uriOf(second, 'web', first))).toMatchObject({ status: 200, body: 'hello from packed\n' });
    await Promise.all([first.stop(), second.stop()]);
  });
});

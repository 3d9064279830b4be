import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Child, run } from '../harness/child.ts';
import { DTKD, REPOSITORY } from '../harness/node-binary.ts';
import { FakeDaemon } from './fake-daemon.ts';

/** The Node of the machine, which may be one that cannot run the program itself. */
function machinePath(): string {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((directory) => !directory.includes('node_modules'))
    .join(delimiter);
}

function machineNode(): string {
  return (
    machinePath()
      .split(delimiter)
      .map((directory) => join(directory, 'node'))
      .find(existsSync) ?? process.execPath
  );
}

describe('the launcher', () => {
  let daemon: FakeDaemon;
  let links: string;
  beforeAll(async () => {
    daemon = await FakeDaemon.start();
    daemon.script('GET', /^\/api\/v1\/.*services$/, ({ query }) =>
      query.get('watch') === 'true' ? { lines: never() } : { metadata: { resourceVersion: '1' }, items: [] },
    );
    links = await mkdtemp(join(tmpdir(), 'dtkd-bin-'));
    await mkdir(join(links, 'a'));
    await symlink(join(REPOSITORY, 'bin', 'dtkd'), join(links, 'a', 'dtkd'));
  });
  afterAll(async () => {
    await daemon.stop();
    await rm(links, { recursive: true });
  });

  const env = () => ({ HOME: links, PATH: machinePath(), DTKD_DATA: daemon.dir });
  const ways = (): [string, string[]][] => [
    ['the command, by a link', [join(links, 'a', 'dtkd')]],
    ["the machine's Node", [machineNode(), DTKD]],
  ];

  it('runs with a Node that is new enough, whichever one is on the PATH', async () => {
    for (const [way, [command = '', ...args]] of ways()) {
      const { code, stdout } = await run({ command, args: [...args, 'version', '--client', '-o', 'json'], env: env() });
      expect(code, way).toBe(0);
      expect(Number(JSON.parse(stdout).node.split('.')[0]), way).toBeGreaterThanOrEqual(22);
    }
  });

  it('passes the exit status and standard input through', async () => {
    for (const [way, [command = '', ...args]] of ways()) {
      const result = await run({ command, args: [...args, '--token', '-', 'get', 'dtapp', 'absent'], env: env(), stdin: daemon.token });
      expect(result, way).toMatchObject({ code: 5, stderr: expect.stringContaining('not found') });
    }
  });

  it('passes signals through', async () => {
    for (const [way, [command = '', ...args]] of ways()) {
      const child = new Child({ command, args: [...args, 'watch', 'services', '-o', 'json'], env: env() });
      await child.output(/ADDED/);
      expect(await child.end('SIGTERM'), way).toEqual({ code: null, signal: 'SIGTERM' });
    }
  });
});

async function* never(): AsyncGenerator<unknown> {
  yield { type: 'ADDED', object: { metadata: { name: 'x' } } };
  await new Promise(() => undefined);
}

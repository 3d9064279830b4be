import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { kubeconfigOf, mergeContext } from '../../cli/kubeconfig/context.ts';
import { FakeDaemon } from './fake-daemon.ts';

const context = { name: 'dtkd-node0', server: 'https://127.0.0.1:7700', ca: 'PEM', token: 't0ken', namespace: 'node0' };
const merged = (text: string, options: { current?: boolean; name?: string } = {}) =>
  mergeContext(text, { ...context, name: options.name ?? context.name }, { current: options.current ?? true, file: 'config' });

const FOREIGN = `# mine
apiVersion: v1
kind: Config
clusters:
- name: work # the big one
  cluster: {server: https://work.example.org}
contexts: []
users:
current-context: work
preferences: {}
`;

describe('a context in a kubeconfig', () => {
  it('is the only one of an empty file', () => {
    expect(parse(merged(''))).toEqual(kubeconfigOf(context));
  });

  it('is added to what is there, which stays as it is', () => {
    const text = merged(FOREIGN, { current: false });
    expect(text).toContain('# mine');
    expect(text).toContain('# the big one');
    const config = parse(text);
    expect(config.clusters.map((cluster: { name: string }) => cluster.name)).toEqual(['work', 'dtkd-node0']);
    expect(config.contexts).toEqual([{ name: 'dtkd-node0', context: { cluster: 'dtkd-node0', namespace: 'node0', user: 'dtkd-node0' } }]);
    expect(config.users).toEqual([{ name: 'dtkd-node0', user: { token: 't0ken' } }]);
    expect(config['current-context']).toBe('work');
  });

  it('becomes the current one if it is to, or if there is none', () => {
    expect(parse(merged(FOREIGN))['current-context']).toBe('dtkd-node0');
    expect(parse(merged(FOREIGN.replace('current-context: work\n', ''), { current: false }))['current-context']).toBe('dtkd-node0');
  });

  it('takes the place of one of its name, and of no other', () => {
    const two = merged(merged(''), { name: 'other' });
    const again = mergeContext(two, { ...context, token: 'new' }, { current: false, file: 'config' });
    const config = parse(again);
    expect(config.users).toEqual([
      { name: 'dtkd-node0', user: { token: 'new' } },
      { name: 'other', user: { token: 't0ken' } },
    ]);
    expect(config.contexts).toHaveLength(2);
    expect(config['current-context']).toBe('other');
  });

  it.each(['- a list', 'kind: Pod', 'clusters: {a: b}', 'a: [', '42'])('is not put into %s', (text) => {
    expect(() => merged(text)).toThrow('not a kubeconfig');
  });

  it('leaves the authority out where the system knows it', () => {
    expect(JSON.stringify(kubeconfigOf({ ...context, ca: undefined }))).not.toContain('certificate');
  });
});

describe('dtkd kubeconfig', () => {
  let daemon: FakeDaemon;

  beforeEach(async () => {
    daemon = await FakeDaemon.start();
    daemon.script('GET', /\/daemon\/whoami$/, () => ({ type: 'operator', node: 'node0' }));
  });
  afterEach(() => daemon.stop());

  it('prints one with the address, the authority and the token', async () => {
    const { code, stdout } = await daemon.cli('kubeconfig');
    expect(code).toBe(0);
    const config = parse(stdout);
    expect(config['current-context']).toBe('dtkd-node0');
    expect(config.clusters[0].cluster.server).toBe(daemon.url);
    expect(Buffer.from(config.clusters[0].cluster['certificate-authority-data'], 'base64').toString()).toMatch(
      /^-----BEGIN CERTIFICATE-----/,
    );
    expect(config.users[0].user.token).toBe(daemon.token);
    expect(config.contexts[0].context.namespace).toBe('node0');
  });

  it('names contexts of users by them, or as it is told', async () => {
    daemon.script('GET', /\/daemon\/whoami$/, () => ({ type: 'user', name: 'ann', node: 'node0', display: 'ann@node0' }));
    expect(parse((await daemon.cli('kubeconfig')).stdout)['current-context']).toBe('dtkd-node0-ann');
    const { stdout } = await daemon.cli('kubeconfig', '--context', 'mine', '--server', 'https://node0.example.org:7700/');
    expect(parse(stdout)).toMatchObject({
      'current-context': 'mine',
      clusters: [{ name: 'mine', cluster: { server: 'https://node0.example.org:7700' } }],
    });
    expect(await daemon.cli('kubeconfig', '--server', 'http://node0')).toMatchObject({
      stderr: expect.stringContaining('is not the address'),
    });
  });

  it('merges it into a file that only its owner can read, also behind a link', async () => {
    const home = join(daemon.dir, 'home');
    await mkdir(home);
    const real = join(home, 'real');
    await writeFile(real, FOREIGN, { mode: 0o644 });
    await symlink(real, join(home, 'link'));
    const { code, stdout } = await daemon.cli('kubeconfig', '--write', join(home, 'link'), '--keep-current');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `Context "dtkd-node0" is in ${join(home, 'link')}.\n` });
    expect(parse(await readFile(real, 'utf8'))).toMatchObject({ 'current-context': 'work', users: [{ name: 'dtkd-node0' }] });
    expect((await stat(real)).mode & 0o777).toBe(0o600);
    const fresh = join(home, 'sub', 'config');
    expect(await daemon.cli('kubeconfig', '--write', fresh)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is the current one'),
    });
    expect((await stat(fresh)).mode & 0o777).toBe(0o600);
    expect((await readdir(home)).sort()).toEqual(['link', 'real', 'sub']);
  });

  it('leaves a file that somebody else is changing, or that is something else', async () => {
    const file = join(daemon.dir, 'config');
    await writeFile(`${file}.lock`, '');
    expect(await daemon.cli('kubeconfig', '--write', file)).toMatchObject({
      stderr: expect.stringContaining('another program is changing'),
    });
    await rm(`${file}.lock`);
    await writeFile(file, 'kind: Pod\n');
    expect(await daemon.cli('kubeconfig', '--write', file)).toMatchObject({ stderr: expect.stringContaining('it was not changed') });
    expect(await readFile(file, 'utf8')).toBe('kind: Pod\n');
    expect((await readdir(daemon.dir)).filter((name) => name.startsWith('config'))).toEqual(['config']);
  });
});

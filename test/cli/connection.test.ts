import { chown, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { HttpsClient } from '../../cli/client/https.ts';
import { notAllowed } from '../../cli/config.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { freePort } from '../harness/ports.ts';
import { FakeDaemon, runCli } from './fake-daemon.ts';

describe('finding the daemon', () => {
  let daemon: FakeDaemon;
  let home: string;
  beforeAll(async () => {
    daemon = await FakeDaemon.start();
    daemon.script('GET', /^\/version$/, () => ({ gitVersion: 'v1.2.3' }));
    home = await mkdtemp(join(tmpdir(), 'dtkd-home-'));
  });
  afterAll(async () => {
    await daemon.stop();
    await rm(home, { recursive: true });
  });

  const env = () => ({ HOME: home });

  it('uses the data directory of the user', async () => {
    const own = join(home, '.local', 'share', 'dtkd');
    await mkdir(own, { recursive: true });
    for (const file of ['endpoint.json', 'admin.token', 'ca.crt']) await copyFile(join(daemon.dir, file), join(own, file));
    expect(await runCli({ env: env() }, 'get', 'services')).toMatchObject({ code: 0 });
    await rm(own, { recursive: true });
  });

  it('says how to start one when there is none', async () => {
    const { code, stderr } = await runCli({ env: { HOME: home } }, 'get', 'services', '--data', join(home, 'none'));
    expect(code).toBe(9);
    expect(stderr).toContain(`next: Start one with: dtkd up --data ${join(home, 'none')}`);
  });

  it('gives commands that a shell takes as they are', async () => {
    const { stderr } = await runCli({ env: { HOME: home } }, 'get', 'services', '--data', join(home, 'my data'));
    expect(stderr).toContain(`next: Start one with: dtkd up --data '${join(home, 'my data')}'`);
  });

  it('tells of a daemon that died', async () => {
    const dead = join(home, 'dead');
    await mkdir(dead);
    for (const file of ['admin.token', 'ca.crt']) await copyFile(join(daemon.dir, file), join(dead, file));
    const endpoint = { api: `https://127.0.0.1:${await freePort()}`, pid: 2 ** 22 + 1 };
    await writeFile(join(dead, 'endpoint.json'), JSON.stringify(endpoint));
    expect(await runCli({ env: env() }, '--data', dead, 'get', 'services')).toMatchObject({
      code: 9,
      stderr: `error: the daemon of ${dead} is not running any more\nnext: Start it with: dtkd up --data ${dead}\n`,
    });
  });

  it('tells of a process that is there and does not answer', async () => {
    const hanging = join(home, 'hanging');
    await mkdir(hanging);
    for (const file of ['admin.token', 'ca.crt']) await copyFile(join(daemon.dir, file), join(hanging, file));
    const endpoint = { api: `https://127.0.0.1:${await freePort()}`, pid: process.pid };
    await writeFile(join(hanging, 'endpoint.json'), JSON.stringify(endpoint));
    expect(await runCli({ env: env() }, '--data', hanging, 'get', 'services')).toMatchObject({
      code: 9,
      stderr: expect.stringContaining(`dtkd doctor --data ${hanging}": process ${process.pid} may be it`),
    });
  });

  it('says so where the authority of the daemon is gone from its directory, and not the token', async () => {
    const without = join(home, 'without');
    await mkdir(without);
    for (const file of ['endpoint.json', 'admin.token']) await copyFile(join(daemon.dir, file), join(without, file));
    const { code, stderr } = await runCli({ env: env() }, '--data', without, 'get', 'services');
    expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringContaining('ca.crt is missing') });
  });

  it('says that it waits where a daemon takes connections and does not answer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = new URL(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`);
    const client = new HttpsClient({ url, token: daemon.token, ca: undefined, dataDir: undefined });
    const over = new AbortController();
    const asked = client.send({ method: 'GET', path: '/', signal: over.signal });
    await vi.advanceTimersByTimeAsync(20_000);
    over.abort();
    await expect(asked).rejects.toThrow();
    expect(said).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('dtkd doctor'));
    vi.restoreAllMocks();
    vi.useRealTimers();
    client.close();
    silent.close();
  });

  it('tells where the daemon of the data directory is if --url names another place', async () => {
    const url = `https://127.0.0.1:${await freePort()}`;
    const { code, stderr } = await runCli({ env: env() }, '--data', daemon.dir, '--url', url, 'get', 'services');
    expect(code).toBe(9);
    expect(stderr).toMatch(/next: The daemon of .* is at https:\S+: name that with --url, or leave --url out\./);
  });

  it('tells doctor that a daemon without checks is older', async () => {
    daemon.script('GET', /checkup/, () => {
      throw new DtkdError('NOT_FOUND', 'the daemon has no action "checkup"');
    });
    const { stdout } = await runCli({ env: env() }, '--data', daemon.dir, 'doctor');
    expect(stdout).toContain('its own checks: it is older than this command');
  });

  it('takes --url, --ca and the token by value, file, standard input or variable', async () => {
    const ca = join(daemon.dir, 'ca.crt');
    const ways: [NodeJS.ProcessEnv, string | undefined, string[]][] = [
      [{}, undefined, ['--token', daemon.token]],
      [{}, undefined, ['--token', `@${join(daemon.dir, 'admin.token')}`]],
      [{}, daemon.token, ['--token', '-']],
      [{ DTKD_TOKEN: daemon.token }, undefined, []],
    ];
    const results = await Promise.all(
      ways.map(([extra, stdin, flags]) =>
        runCli(
          { env: { ...env(), DTKD_URL: daemon.url, DTKD_CA: ca, ...extra }, ...(stdin === undefined ? {} : { stdin }) },
          'get',
          'svc',
          ...flags,
        ),
      ),
    );
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  });

  it('sends no token to a server that the data directory does not vouch for', async () => {
    const other = await FakeDaemon.start();
    const [untrusted, tokenless] = await Promise.all([
      runCli({ env: env() }, '--data', daemon.dir, '--url', other.url, 'get', 'svc'),
      runCli({ env: env() }, '--url', other.url, '--ca', join(other.dir, 'ca.crt'), 'get', 'svc'),
    ]);
    expect(untrusted).toMatchObject({ code: 7, stderr: expect.stringContaining('is not the expected daemon') });
    expect(tokenless).toMatchObject({ code: 4, stderr: expect.stringContaining('there is no token') });
    expect(other.asked).toEqual([]);
    await other.stop();
  });

  it('explains a token that is not known, and an address that is none', async () => {
    const [unknown, invalid] = await Promise.all([
      daemon.cli('--token', 'old', 'get', 'svc'),
      daemon.cli('--url', 'http://x', 'get', 'svc'),
    ]);
    expect(unknown).toMatchObject({ code: 4, stderr: expect.stringContaining('rotated') });
    expect(invalid).toMatchObject({ code: 2, stderr: expect.stringContaining('https://127.0.0.1:7700') });
  });

  it('explains a token or an authority that is something else, before anything is sent', async () => {
    const asked = daemon.asked.length;
    const ca = join(daemon.dir, 'ca.crt');
    for (const [args, said] of [
      [['--token', `@${ca}`], 'error: what is given as token is not a token'],
      [['--token', `@${daemon.dir}`], `error: cannot read the token from ${daemon.dir}: it is a directory`],
      [['--ca', daemon.dir], `error: cannot read the certificate authority from ${daemon.dir}: it is a directory`],
      [['--ca', join(daemon.dir, 'admin.token')], 'error: there is no certificate in '],
      [['--url', `${daemon.url}/api`], `error: "${daemon.url}/api" is not the address of a daemon's API`],
    ] as const) {
      const { code, stderr } = await daemon.cli(...args, 'get', 'svc');
      expect({ args, code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(said) });
      expect(stderr).toMatch(/^next: \S/m);
    }
    expect(daemon.asked.length).toBe(asked);
    // as compose files set what they have no value for
    expect(await daemon.cliWith({ env: { DTKD_URL: '', DTKD_CA: '', DTKD_TOKEN: '' } }, 'get', 'svc')).toMatchObject({ code: 0 });
  });

  it('explains an answer that is no answer of dtkd', async () => {
    daemon.script('GET', /^\/api\/v1\/.*services$/, () => ({ raw: '<html>hello</html>' }));
    expect(await daemon.cli('get', 'svc')).toMatchObject({ code: 7, stderr: expect.stringContaining('does not speak the API of dtkd') });
  });

  it('tells the version of both, and of a missing daemon', async () => {
    const [both, alone] = await Promise.all([daemon.cli('version'), runCli({ env: env() }, '--data', home, 'version')]);
    expect(both.stdout).toMatch(/^dtkd \d+\.\d+\.\d+ \(Node \S+\)\ndaemon v1\.2\.3\n$/);
    expect(alone).toMatchObject({ code: 0, stdout: expect.stringContaining('daemon not running') });
  });

  it('names the group of operators where a token may not be read', async () => {
    const group = (await readFile('/etc/group', 'utf8'))
      .split('\n')
      .find((line) => line.split(':')[2] === '1')
      ?.split(':')[0];
    const token = join(home, 'admin.token');
    await writeFile(token, 'x');
    const foreign = process.getuid?.() === 0 && group !== undefined;
    if (foreign) await chown(token, 0, 1);
    expect(await notAllowed(token)).toMatchObject({
      code: 'FORBIDDEN',
      message: `you are not allowed to read ${token}`,
      next: expect.stringContaining(foreign ? `sudo usermod -aG ${group}` : 'group'),
    });
  });
});

describe('the command line itself', () => {
  const env = { HOME: '/nonexistent', NO_COLOR: '1' };

  it('prints an orientation when it is called alone', async () => {
    const { code, stdout } = await runCli({ env });
    expect(code).toBe(0);
    expect(stdout).toContain('dtkd domain create');
  });

  it.each([
    [['gte'], "unknown command 'gte'", 'get'],
    [['domain', 'crate'], "unknown command 'crate'", 'create'],
    [['get', 'svc', '--wach'], "unknown option '--wach'", '--watch'],
    [['get', 'sv'], 'there is no kind "sv"', 'svc'],
  ])('suggests what %j might have been', async (args, message, suggestion) => {
    const { code, stderr } = await runCli({ env }, ...args);
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(new RegExp(`did you mean ${suggestion}`, 'i'));
    expect(stderr).toContain('next: ');
  });

  it.each([
    [['plan'], 'dtkd converge SERVICE --dry-run'],
    [['destroy', 'shop'], 'dtkd service uninstall SERVICE'],
    [['join', '192.0.2.10'], 'dtkd domain join'],
    [['logs'], 'dtkd executions follow ID'],
    [['list'], 'dtkd get'],
    [['module', 'uninstall', 'acme/web'], 'dtkd module rm'],
    [['app', 'unexpose', 'wiki'], 'dtkd app rm'],
    [['service', 'rm', 'shop'], 'dtkd service uninstall SERVICE'],
    [['executions', 'stop'], 'dtkd executions abort'],
  ])('knows what other tools call it, and guesses nothing beside: %j', async (args, meant) => {
    const { code, stderr } = await runCli({ env }, ...args);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(`next: See "${meant}", or "dtkd`) });
    expect(stderr).not.toMatch(/did you mean/i);
  });

  it.each([
    [['help', 'gte'], "unknown command 'gte'"],
    [['gte', '--help'], "unknown command 'gte'"],
    [['--data', 'x', 'domain', 'crate', '-h'], "unknown command 'crate'"],
  ])('has no help for what is no command: %j', async (args, message) => {
    const { code, stdout, stderr } = await runCli({ env }, ...args);
    expect({ code, stdout, stderr }).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });

  it('has examples in the help of every command', async () => {
    const { stdout } = await runCli({ env }, 'help', 'domain', 'join');
    expect(stdout).toMatch(/Usage: dtkd domain join .*\n[\s\S]*Examples:\n/);
  });
});

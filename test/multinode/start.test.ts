import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLevel } from '../../daemon/src/store/level-kv.ts';
import { run } from '../harness/child.ts';
import { found, publish } from '../harness/domain.ts';
import { DTKD, NODE } from '../harness/node-binary.ts';
import { missing } from '../harness/programs.ts';
import { useStage } from '../harness/use-stage.ts';

const stage = useStage();

describe('starting', () => {
  const busy = createServer();
  let busyPort: number;

  beforeAll(async () => {
    await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
    busyPort = (busy.address() as AddressInfo).port;
  });
  afterAll(() => {
    busy.close();
  });

  it('stops cleanly on SIGTERM, keeps its objects and leaves nothing that stops the next start', async () => {
    const site = await stage.current.start({ name: 'clean' });
    await found(site, 'home');
    await publish(site, 'thing', 'home');
    await site.stop();
    await site.start();
    expect((await site.get('dtapp', 'thing'))?.metadata.name).toBe('thing');
    expect((await site.get('dtdomain', 'home'))?.['status']).toBe('Ready');
    expect(await site.child.end('SIGHUP'), 'its terminal is gone').toEqual({ code: 0, signal: null });
  });

  it('stops cleanly on SIGTERM while it is still starting', async () => {
    const site = stage.current.site({ name: 'hasty' });
    const child = await site.spawn();
    await child.until(() => existsSync(join(site.dir, 'db')), { what: 'the database to be opened' });
    expect(await child.end('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(existsSync(join(site.dir, 'endpoint.json'))).toBe(false);
    await site.start();
    await site.stop();
  });

  it('refuses a second daemon on one data directory, also after the first was killed and is back', async () => {
    const site = await stage.current.start({ name: 'first' });
    // as a daemon with an operator group has it
    await chmod(site.dir, 0o750);
    const second = await stage.current.site({ name: 'second', dir: site.dir }).startRefused();
    expect(second.code).toBe(10);
    expect(second.output).toContain(site.dir);
    expect((await stat(site.dir)).mode & 0o777).toBe(0o750);
    await site.kill9();
    await site.start();
    expect((await stage.current.site({ name: 'third', dir: site.dir }).startRefused()).code).toBe(10);
    // as by somebody who tidies up
    await rm(join(site.dir, 'endpoint.json'));
    expect((await stage.current.site({ name: 'fourth', dir: site.dir }).startRefused()).code).toBe(10);
    expect((await site.api('/readyz')).status).toBe(200);
    await site.stop();
  });

  // root may give files to any group
  it.skipIf(process.getuid?.() !== 0)(
    'lets an operator group find and use it under the umask of the unit, and ends watches with the token that they began with',
    async () => {
      const site = await stage.current.start({
        name: 'operated',
        wrapper: ['sh', '-c', 'umask 027 && exec "$@"', 'sh'],
        args: ['--operator-group', 'daemon'],
      });
      const { gid } = await stat(site.dir);
      for (const name of ['endpoint.json', 'ca.crt', 'admin.token', 'api.sock']) {
        const file = await stat(join(site.dir, name));
        expect([name, file.gid, file.mode & 0o047]).toEqual([name, gid, 0o040]);
      }
      const watch = await site.openApi(`${site.path('node')}?watch=true`);
      const ended = new Promise((resolve) => watch.once('close', resolve));
      watch.on('error', () => undefined).resume();
      expect(await site.cli('token', 'rotate')).toMatchObject({ code: 0 });
      await ended;
      await site.stop();
    },
  );

  it('refuses a port that is in use, and names it', async () => {
    for (const flag of ['api', 'ingress'] as const) {
      const refused = await stage.current.site({ name: 'busy', [flag]: `127.0.0.1:${busyPort}` }).startRefused();
      expect(refused.code).toBe(11);
      expect(refused.output).toContain(String(busyPort));
    }
  });

  it('refuses an address that is none of this machine as a wrong setting', async () => {
    for (const flag of ['api', 'ingress'] as const) {
      const refused = await stage.current.site({ name: 'stray', [flag]: '192.0.2.77:7700' }).startRefused();
      expect(refused).toMatchObject({ code: 14, output: expect.stringContaining(`--${flag}`) });
    }
  });

  it('refuses a data directory that cannot be written', async () => {
    const file = join(stage.current.directory, 'a-file');
    await writeFile(file, 'in the way');
    const refused = await stage.current.site({ name: 'unwritable', dir: file }).startRefused();
    expect(refused.code).toBe(12);
    expect(refused.output).toContain(file);
    expect(await readFile(file, 'utf8')).toBe('in the way');
  });

  const why = missing(['unshare', 'mount'], { root: true });
  it.skipIf(why !== undefined)(`refuses a read-only disk${why === undefined ? '' : ` (SKIPPED: ${why})`}`, async () => {
    const dir = join(stage.current.directory, 'read-only');
    await mkdir(dir);
    const site = stage.current.site({
      name: 'read-only',
      dir,
      wrapper: ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"', dir],
    });
    expect((await site.startRefused()).code).toBe(12);
  });

  // a start as root once leaves files that the user of the service may not read
  it.skipIf(process.getuid?.() !== 0)("refuses data of which a part is somebody else's, without a stack", async () => {
    await chmod(stage.current.directory, 0o755);
    for (const part of ['.', 'modules', 'instances', 'content']) {
      const dir = join(stage.current.directory, `owned-${part}`);
      await mkdir(join(dir, part), { recursive: true });
      if (part !== '.') await chown(dir, 65534, 65534);
      await chmod(join(dir, part), 0o700);
      const site = stage.current.site({ name: 'owned', dir, wrapper: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] });
      const { code, output } = await site.startRefused();
      expect([part, code, output]).toEqual([part, 12, expect.stringContaining(dir)]);
      expect(output).not.toContain(' at ');
    }
  });

  it('runs for a user without a home directory, and says where it wants one', async () => {
    const env = { HOME: '', XDG_CACHE_HOME: '' };
    const site = await stage.current.start({ name: 'homeless', env });
    expect(await site.cli('status')).toMatchObject({ code: 0 });
    await site.stop();
    const refused = await run({ command: NODE, args: [DTKD, 'up'], env: { PATH: process.env['PATH'], HOME: '' } });
    expect(refused).toMatchObject({ code: 14, stderr: expect.stringContaining('DTKD_DATA') });
  });

  it('refuses data of a newer format, and leaves them alone', async () => {
    const site = await stage.current.start({ name: 'future' });
    await site.stop();
    const database = join(site.dir, 'db');
    const kv = await openLevel(database);
    const [key, now] = (await kv.page({ gte: 'm/format', lt: 'm/format~' }))[0] ?? [];
    if (key === undefined || now === undefined) throw new Error('the database has no format');
    await kv.batch([{ type: 'put', key, value: Buffer.from('999') }], { sync: true });
    await kv.close();
    const refused = await site.startRefused();
    expect(refused.code).toBe(13);
    expect(refused.output).toContain('999');
  });

  it('refuses settings that are wrong, and names them', async () => {
    const site = stage.current.site({ name: 'wrong' });
    const refused = await site.startRefused(['--api', 'nowhere']);
    expect(refused.code).toBe(14);
    expect(refused.output).toContain('nowhere');
    const mistyped = await stage.current.site({ name: 'mistyped' }).startRefused(['--bogus']);
    expect(mistyped).toMatchObject({ code: 14, output: expect.stringContaining('--bogus') });
  });
});

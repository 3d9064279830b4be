import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../harness/child.ts';
import { REPOSITORY } from '../harness/node-binary.ts';
import { missing } from '../harness/programs.ts';

const exec = promisify(execFile);
const UNITS = join(REPOSITORY, 'packaging', 'systemd');
const SERVICES = ['dtkd.service', 'dtkd-dispatch.service', 'dtkd-backup.service'];
/** Exposure as systemd-analyze counts it, 0 (none) to 10. The network is what the daemon is for, and JavaScript is compiled as it runs. */
const HARDENED_AT_MOST = 2;
const DISPATCHING_AT_MOST = 4;
const reason = missing(['systemd-analyze']);

describe.skipIf(reason !== undefined)(`systemd units${reason === undefined ? '' : ` (SKIPPED: ${reason})`}`, () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dtkd-units-'));
    // The programs that they start need not be here.
    for (const name of SERVICES) {
      const text = await readFile(join(UNITS, name), 'utf8');
      await writeFile(
        join(directory, name),
        text.replaceAll('/usr/local/bin/dtkd', '/bin/true').replaceAll(/^Documentation=file:.*\n/gm, ''),
      );
    }
    await copyFile(join(UNITS, 'dtkd-backup.timer'), join(directory, 'dtkd-backup.timer'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it.each([...SERVICES, 'dtkd-backup.timer'])('%s is as systemd wants it', async (name) => {
    const { stdout, stderr } = await run({ command: 'systemd-analyze', args: ['verify', '--man=no', join(directory, name)] });
    // Other units of this machine do not matter here.
    expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes('dtkd'))).toEqual([]);
  });

  const exposureOf = async (name: string): Promise<number> => {
    const { stdout } = await exec('systemd-analyze', ['security', '--offline=true', '--no-pager', join(directory, name)]);
    return Number(/exposure level for .*: ([0-9.]+)/.exec(stdout)?.[1]);
  };

  it('expose little', async () => {
    expect(await exposureOf('dtkd.service')).toBeLessThanOrEqual(HARDENED_AT_MOST);
    expect(await exposureOf('dtkd-dispatch.service')).toBeLessThanOrEqual(DISPATCHING_AT_MOST);
  });

  it('give the right to become others to one of them only, and to no command', async () => {
    const [plain, dispatching] = await Promise.all(SERVICES.map((name) => readFile(join(UNITS, name), 'utf8')));
    expect(plain).toMatch(/^CapabilityBoundingSet=$/m);
    expect(plain).toMatch(/^AmbientCapabilities=$/m);
    const [, ambient] = /^AmbientCapabilities=(.*)$/m.exec(dispatching ?? '') ?? [];
    expect(ambient).toBe('CAP_SETUID CAP_SETGID CAP_CHOWN CAP_KILL');
    expect(dispatching).toMatch(/^NoNewPrivileges=yes$/m);
    // Two daemons on one data directory would be one too many.
    expect(dispatching).toMatch(/^Conflicts=dtkd\.service$/m);
    for (const unit of [plain, dispatching]) {
      expect(unit).toMatch(/^User=dtkd$/m);
      expect(unit).toMatch(/^KillMode=process$/m);
    }
  });

  it('take sysusers that systemd understands', async () => {
    const root = join(directory, 'root');
    await exec('mkdir', ['-p', join(root, 'etc')]);
    await exec('systemd-sysusers', [`--root=${root}`, join(UNITS, 'dtkd.sysusers')]);
    expect(await readFile(join(root, 'etc/passwd'), 'utf8')).toMatch(/^dtkd:/m);
    expect(await readFile(join(root, 'etc/group'), 'utf8')).toMatch(/^dtkd-operators:/m);
  });
});

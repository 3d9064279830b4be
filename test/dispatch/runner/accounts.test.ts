import { chmod, chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAccount, rightsOf } from '../../../daemon/src/dispatch/runner/accounts.ts';
import { Child } from '../../harness/child.ts';
import { NODE } from '../../harness/node-binary.ts';
import { missing } from '../../harness/programs.ts';
import { waitFor } from '../../wait.ts';

/** As packaging/systemd/dtkd-dispatch.service has them. */
const RIGHTS = '+setuid,+setgid,+chown,+kill';
const NOBODY = 65_534;
const reason = missing(['setpriv'], { root: true });

describe('accounts', () => {
  it('are read from lines of passwd', () => {
    expect(findAccount('x:x:1:2:c:/h:/s\nbad:x:a:2::/:/', 'x')).toEqual({ name: 'x', uid: 1, gid: 2, home: '/h', shell: '/s' });
    expect(findAccount('bad:x:a:2::/:/', 'bad')).toBeUndefined();
  });

  it('tell from the table of a process what it may', () => {
    const status = (effective: string, ambient: string) => `Name:\tnode\nCapEff:\t${effective}\nCapBnd:\t0\nCapAmb:\t${ambient}\n`;
    expect(rightsOf(status('000001ffffffffff', '0000000000000000'))).toEqual({ mayBecome: true, handedOn: false });
    expect(rightsOf(status('00000000000000e1', '00000000000000e1'))).toEqual({ mayBecome: true, handedOn: true });
    expect(rightsOf(status('0000000000000080', '0000000000000000'))).toEqual({ mayBecome: false, handedOn: false });
    expect(rightsOf('Name:\tnode\n')).toBeUndefined();
  });
});

describe.skipIf(reason !== undefined)(
  `a daemon that is not root and may become other users${reason === undefined ? '' : ` (SKIPPED: ${reason})`}`,
  () => {
    let directory: string;
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'dtkd-accounts-'));
      await chmod(directory, 0o755);
      await chown(directory, NOBODY, NOBODY);
    });
    afterAll(() => rm(directory, { recursive: true, force: true }));

    it('runs commands as them, and no command has its rights', async () => {
      const words = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', `--bounding-set=-all,${RIGHTS}`, '--no-new-privs'];
      const host = new Child({
        command: 'setpriv',
        args: [
          ...words,
          `--inh-caps=-all,${RIGHTS}`,
          `--ambient-caps=-all,${RIGHTS}`,
          '--',
          NODE,
          join(import.meta.dirname, 'host.ts'),
          directory,
          join(directory, 'spool'),
        ],
        env: { PATH: '/usr/bin:/bin' },
        input: true,
      });
      const script =
        'test "$(id -un)" = "$WHO" || exit 3; grep -q "^CapEff:.0*$" /proc/self/status || exit 4; test "$(cat "$TOKEN")" = t || exit 5; ' +
        'umask 077; cd "$(dirname "$TOKEN")" && mkdir -p a/b && touch a/b/c && chmod 0 a; exit 9';
      const run = async (name: string, user: string): Promise<void> => {
        const line = {
          run: join(directory, name),
          script: script.replace('"$WHO"', user),
          cwd: '/',
          ...(user === 'nobody' ? {} : { user }),
        };
        host.process.stdin?.write(`${JSON.stringify(line)}\n`);
      };
      const before = await readdir('/dev/shm').catch((): string[] => []);
      await run('one', 'daemon');
      await host.output(/"exitStatus":9/);
      await run('two', 'nobody');
      await waitFor(() => host.stdout.match(/"exitStatus":9/g)?.length === 2, { what: `both to end: ${host.stdout}` });
      await run('three', 'daemon');
      await waitFor(() => host.stdout.match(/"exitStatus":9/g)?.length === 3, { what: `all to end: ${host.stdout}` });
      await waitFor(
        async () =>
          (await readdir('/dev/shm').catch((): string[] => [])).every((name) => before.includes(name) || !name.startsWith('dtkd-secrets-')),
        {
          what: 'secrets to be gone',
        },
      );
      await host.end('SIGKILL');
    });
  },
);

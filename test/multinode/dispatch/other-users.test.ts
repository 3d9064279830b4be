import { chmod, chown, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { missing } from '../../harness/programs.ts';
import { useStage } from '../../harness/use-stage.ts';

const stage = useStage();
const NOBODY = 65_534;
/** As packaging/systemd/dtkd-dispatch.service starts it: not root, and with the right to become others. */
const RIGHTS = '+setuid,+setgid,+chown,+kill';
const DISPATCHING = [
  'setpriv',
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  '--clear-groups',
  '--no-new-privs',
  `--bounding-set=-all,${RIGHTS}`,
  `--inh-caps=-all,${RIGHTS}`,
  `--ambient-caps=-all,${RIGHTS}`,
  '--',
];
const WHO = 'id -un >/dev/stdout; grep CapEff /proc/self/status; cat "$PASSWORD"; echo; cat var/resource.json >/dev/null && echo read';
const reason = missing(['setpriv'], { root: true });

const documents = [
  { apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata: { name: 'm' }, spec: {} },
  {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Type',
    metadata: { name: 'who' },
    spec: {
      name: 'Who',
      extends: 'Service',
      commands: Object.fromEntries(
        [undefined, 'daemon', 'bin'].map((user) => [
          user ?? 'Own',
          { script: { inline: WHO, secrets: [{ name: 'password', variable: 'PASSWORD' }], ...(user === undefined ? {} : { user }) } },
        ]),
      ),
    },
  },
  { apiVersion: 'dtkd.dev/v1', kind: 'Resource', metadata: { name: 'w' }, spec: { model: 'm', type: 'Who', parents: ['node/node0'] } },
];

/** Where secrets are put for commands. */
const MEMORY = '/dev/shm';

async function inMemory(): Promise<string[]> {
  const names = await readdir(MEMORY).catch((): string[] => []);
  return names.filter((name) => name.startsWith('dtkd-secrets-'));
}

describe.skipIf(reason !== undefined)(`commands as other users${reason === undefined ? '' : ` (SKIPPED: ${reason})`}`, () => {
  it('run as those whom the policy names, with no right of the daemon', async () => {
    // of others on this machine
    const before = new Set(await inMemory());
    const dir = join(stage.current.directory, 'data');
    await mkdir(dir, { mode: 0o700 });
    await chown(dir, NOBODY, NOBODY);
    await chmod(stage.current.directory, 0o755);
    const site = await stage.current.start({ name: 'node0', dir, wrapper: DISPATCHING, env: { HOME: dir } });
    for (const document of documents) await site.create(document);
    expect(await site.cliWith({ stdin: 'hunter2' }, 'secret', 'set', 'password', '--from-file', '-')).toMatchObject({ code: 0 });

    const said = async (command: string): Promise<string> => {
      const { stdout, stderr } = await site.cli('run', command, 'w');
      return `${stdout}${stderr}`;
    };
    const none = 'CapEff:\t0000000000000000\n***\nread\n';
    expect(await said('daemon')).toContain('nothing may run as the user "daemon"');
    expect(await site.cli('policy', 'set', 'users=daemon')).toMatchObject({ code: 0 });
    expect(await said('daemon')).toContain(`daemon\n${none}`);
    expect(await said('Own')).toContain(`nobody\n${none}`);
    expect(await site.cli('exec', '--user', 'nobody', '--', 'id', '-un'), 'its own, by name').toMatchObject({
      code: 0,
      stdout: 'nobody\n',
    });
    expect(await said('bin')).toContain('nothing may run as the user "bin"');
    const { code, stderr } = await site.cli('exec', '--user', 'bin', '--', 'id');
    expect(code).toBe(20);
    expect(stderr).toContain('1 refused');
    expect(stderr, 'who may, still may').toMatch(/nothing may run as the user "bin"[\s\S]*policy set users=daemon,bin/);

    // They pass through the data directory, and see nothing in it.
    expect((await stat(dir)).mode & 0o7).toBe(0o1);
    expect((await stat(join(dir, 'admin.token'))).mode & 0o7).toBe(0);
    const left = await Promise.all((await inMemory()).filter((name) => !before.has(name)).map((name) => stat(join(MEMORY, name))));
    expect(left.filter(({ uid }) => uid === NOBODY || uid === 1)).toEqual([]);
    await site.stop();
  });
});

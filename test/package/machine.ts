/** Machines on which packages are tried: this one without the surroundings of `npm run`, and copies of it that may be changed at will. */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Child, run } from '../harness/child.ts';
import { missing } from '../harness/programs.ts';

export const exec = promisify(execFile);

/** The surroundings of a user of this machine: without what `npm run` has put in front of the PATH. */
export function machine(): NodeJS.ProcessEnv {
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((directory) => !directory.includes('node_modules') && !directory.includes('node-gyp-bin'));
  const kept = Object.entries(process.env).filter(
    ([key]) => !/^(npm_(package|lifecycle|command|execpath|node_execpath)|NODE_|VITEST|DTKD_|INIT_CWD)/.test(key),
  );
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter) };
}

/**
 * A copy of this machine's files in a mount namespace of its own: what is installed, changed and removed there is in a directory of the test, and
 * everything ends with the process that holds it. It has no Node and no systemd that runs.
 */
export class CopiedMachine {
  /** Where this process sees what was changed. */
  readonly changes: string;
  readonly #root: string;
  readonly #holder: Child;

  private constructor(directory: string, root: string, holder: Child) {
    this.changes = join(directory, 'changes');
    this.#root = root;
    this.#holder = holder;
  }

  /** Why there cannot be one, or undefined. */
  static async impossible(): Promise<string | undefined> {
    const why = missing(['dpkg', 'unshare', 'nsenter', 'chroot', 'mount'], { root: true });
    if (why !== undefined) return why;
    const script = 'mount -t tmpfs none /mnt && cd /mnt && mkdir u w m && mount -t overlay none -o lowerdir=/,upperdir=u,workdir=w m';
    const tried = await run({ command: 'unshare', args: ['--mount', 'sh', '-c', script] });
    return tried.code === 0 ? undefined : 'overlay mounts are not allowed here';
  }

  static async create(directory: string): Promise<CopiedMachine> {
    const [root, changes, work] = ['root', 'changes', 'work'].map((name) => join(directory, name));
    for (const path of [root, changes, work]) await mkdir(path ?? '', { recursive: true });
    const script = `set -e
mount -t overlay none -o "lowerdir=/,upperdir=${changes},workdir=${work}" "${root}"
mount --rbind /dev "${root}/dev"
mount -t proc none "${root}/proc"
for name in node npm npx; do rm -f "${root}/usr/bin/$name" "${root}/usr/local/bin/$name"; done
echo ready
exec sleep infinity`;
    const holder = new Child({ command: 'unshare', args: ['--mount', 'sh', '-c', script] });
    await holder.output(/ready/);
    return new CopiedMachine(directory, root ?? '', holder);
  }

  /** What goes before a command that is to run there, with nothing of the surroundings of this process. */
  get wrapper(): string[] {
    const inside = ['nsenter', `--mount=/proc/${this.#holder.pid}/ns/mnt`, 'chroot', this.#root];
    return [...inside, '/usr/bin/env', '-i', '-C', '/', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'];
  }

  async run(...line: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const [command = '', ...args] = [...this.wrapper, ...line];
    return run({ command, args });
  }

  async close(): Promise<void> {
    await this.#holder.end('SIGKILL');
  }
}

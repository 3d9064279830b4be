/**
 * A container of an image without an engine: its root file system read-only, a data directory and a tmpfs the only places to write, processes of its own with
 * the image's entrypoint as the first, the image's user without any capability, a network namespace. All of it ends with the process that holds it.
 */
import { chown, mkdir, readFile } from 'node:fs/promises';
import { Child, run } from '../harness/child.ts';
import { waitFor } from '../wait.ts';
import type { Buildah, ImageConfig } from './buildah.ts';

/** $1: the data directory, $2: a file of names; then what gives the root, after `--` what runs there. */
const ENTER = `set -e
data=$1; names=$2; shift 2
root=$("$@" mount "$container")
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --bind /dev "$root/dev"
mount -t proc -o nosuid,nodev,noexec none "$root/proc"
mount -t tmpfs -o size=64m,mode=1777,nosuid,nodev,noexec none "$root/tmp"
mount --bind "$data" "$root/var/lib/dtkd"
mount --bind "$names" "$root/etc/hosts"
exec chroot "$root" /bin/sh -c "$inside"`;

export interface ContainerOptions {
  name: string;
  image: string;
  config: ImageConfig;
  /** The volume; made as an engine makes one: the image's directory, with its owner. */
  data: string;
  /** In the place of /etc/hosts. */
  names: string;
  netns: string;
  env?: Readonly<Record<string, string>>;
  logFile: string;
}

export class Container {
  readonly options: ContainerOptions;
  readonly #buildah: Buildah;
  #holder: Child | undefined;
  #first = 0;

  private constructor(buildah: Buildah, options: ContainerOptions) {
    this.#buildah = buildah;
    this.options = options;
  }

  static async create(buildah: Buildah, options: ContainerOptions): Promise<Container> {
    await buildah.run('from', '--name', options.name, options.image);
    const [uid = 0, gid = 0] = options.config.User.split(':').map(Number);
    await mkdir(options.data, { mode: 0o700 });
    await chown(options.data, uid, gid);
    return new Container(buildah, options);
  }

  /** The pid, as this process sees it, of the container's first process. */
  get first(): number {
    return this.#first;
  }

  get child(): Child {
    if (this.#holder === undefined) throw new Error(`${this.options.name} has not been started`);
    return this.#holder;
  }

  /** Starts what the image starts. */
  async start(): Promise<void> {
    const { config, name, data, names, netns, logFile } = this.options;
    this.#holder = new Child({
      command: 'unshare',
      args: ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', ENTER, 'sh', data, names, ...this.#buildah.command],
      env: {
        PATH: process.env['PATH'],
        container: name,
        inside: `exec ${this.#asUser([...config.Entrypoint, ...config.Cmd])
          .map(quoted)
          .join(' ')}`,
      },
      netns,
      logFile,
    });
    this.#first = await this.#holder.until(() => this.#findFirst(), { what: `${name} to have a first process` });
  }

  /** As `docker exec`. */
  async exec(...command: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return this.execWith(undefined, ...command);
  }

  async execWith(stdin: string | undefined, ...command: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const target = [`--target=${this.#first}`, '--mount', '--pid', '--net', '--root'];
    return run({
      command: 'nsenter',
      args: [...target, ...this.#asUser(command)],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      ...(stdin === undefined ? {} : { stdin }),
    });
  }

  /** The image's signal to its first process; resolves with the status that the container ends with. */
  async stop(): Promise<number | null> {
    process.kill(this.#first, this.options.config.StopSignal as NodeJS.Signals);
    return (await waitFor(() => (this.child.running ? undefined : this.child.exited), { what: `${this.options.name} to stop` })).code;
  }

  async close(): Promise<void> {
    await this.#holder?.end('SIGKILL');
  }

  /** The image's user and surroundings, before what runs as such. */
  #asUser(command: readonly string[]): string[] {
    const { config, env = {} } = this.options;
    const [uid, gid] = config.User.split(':');
    const variables = [...config.Env, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
    return [
      ...[
        '/usr/bin/setpriv',
        `--reuid=${uid}`,
        `--regid=${gid}`,
        '--clear-groups',
        '--inh-caps=-all',
        '--bounding-set=-all',
        '--no-new-privs',
      ],
      ...['/usr/bin/env', '--ignore-environment', `--chdir=${config.WorkingDir}`, ...variables, ...command],
    ];
  }

  /** The only child of `unshare`, once it runs as the image's user. */
  async #findFirst(): Promise<number | undefined> {
    const { pid } = this.child;
    const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
    if (!child) return undefined;
    const uid = /^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${child}/status`, 'utf8'))?.[1];
    return uid === this.options.config.User.split(':')[0] ? Number(child) : undefined;
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

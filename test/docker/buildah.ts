/**
 * Images and containers without an engine, by Buildah: its storage is in a directory of the test, and each command has a mount namespace of its own, so that
 * nothing of it is left when the directory is removed.
 */
import { copyFile, cp, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { run } from '../harness/child.ts';
import { NODE, REPOSITORY } from '../harness/node-binary.ts';
import { findProgram, missing } from '../harness/programs.ts';
import { exec, machine } from '../package/machine.ts';

const PROGRAMS = ['buildah', 'debootstrap', 'apt-get', 'npm', 'tar', 'unshare', 'nsenter', 'chroot', 'mount', 'ip'];
/** How long a base is kept between runs, in milliseconds. Fetching one takes longer than everything that is done with it. */
const BASE_KEPT_MS = 7 * 24 * 3_600_000;
const NPM_CACHE = '/npm-cache';

const imageConfig = z.object({
  User: z.string(),
  Env: z.array(z.string()),
  Cmd: z.array(z.string()),
  Entrypoint: z.array(z.string()),
  WorkingDir: z.string(),
  StopSignal: z.string(),
  Volumes: z.record(z.string(), z.unknown()),
  ExposedPorts: z.record(z.string(), z.unknown()),
  Healthcheck: z.looseObject({ Test: z.array(z.string()) }),
  Labels: z.record(z.string(), z.string()),
});
export type ImageConfig = z.infer<typeof imageConfig>;

/** Why no image can be built here, or undefined. */
export async function buildImpossible(): Promise<string | undefined> {
  const why = missing(PROGRAMS, { root: true });
  if (why !== undefined) return why;
  return (await debian()) === undefined ? 'needs a Debian whose apt has a source of packages' : undefined;
}

/** The release of this machine and where its packages come from, as its apt is set up. */
async function debian(): Promise<{ suite: string; mirror: string } | undefined> {
  const asked = await run({
    command: 'apt-get',
    args: ['indextargets', '--format', '$(SITE) $(CODENAME)', 'Created-By: Packages', 'Component: main'],
  });
  const [mirror, suite] =
    asked.stdout
      .split('\n')
      .find((line) => /\/debian\/? [a-z]+$/.test(line))
      ?.split(' ') ?? [];
  return mirror === undefined || suite === undefined ? undefined : { suite, mirror };
}

/** A tar of the smallest Debian, from the cache if there is one that is not too old. */
async function baseArchive(directory: string): Promise<string> {
  const found = await debian();
  if (found === undefined) throw new Error('apt has no source of packages');
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'dtkd-test');
  const archive = join(cache, `debian-${found.suite}-${process.arch}.tar`);
  const age = await stat(archive).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => Number.POSITIVE_INFINITY,
  );
  if (age < BASE_KEPT_MS) return archive;
  const tree = join(directory, 'debian');
  await succeed('debootstrap', ['--variant=minbase', found.suite, tree, found.mirror]);
  await mkdir(cache, { recursive: true });
  // Complete or not at all, even if another process makes one.
  const part = `${archive}.${process.pid}`;
  await succeed('tar', ['--create', '--file', part, '--directory', tree, '--exclude=./var/cache/apt/archives/*.deb', '.']);
  await rename(part, archive);
  await rm(tree, { recursive: true, force: true });
  return archive;
}

async function succeed(command: string, args: readonly string[]): Promise<string> {
  const result = await run({ command, args, env: machine() });
  if (result.code !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${result.code}:\n${`${result.stdout}${result.stderr}`.slice(-4_000)}`);
  return result.stdout;
}

export class Buildah {
  readonly #directory: string;
  /** What a shell needs to call it. */
  readonly command: readonly string[];

  private constructor(directory: string, driver: string) {
    this.#directory = directory;
    const storage = join(directory, 'storage');
    this.command = [
      findProgram('buildah') ?? 'buildah',
      '--root',
      join(storage, 'root'),
      '--runroot',
      join(storage, 'run'),
      '--storage-driver',
      driver,
    ];
  }

  static async open(directory: string): Promise<Buildah> {
    const overlay = new Buildah(directory, 'overlay');
    const tried = await overlay.#try('from', '--name', 'probe', 'scratch');
    if (tried.code === 0) return overlay;
    await rm(join(directory, 'storage'), { recursive: true, force: true });
    return new Buildah(directory, 'vfs');
  }

  async run(...args: string[]): Promise<string> {
    const result = await this.#try(...args);
    if (result.code !== 0)
      throw new Error(`buildah ${args.join(' ')} ended with ${result.code}:\n${`${result.stdout}${result.stderr}`.slice(-4_000)}`);
    return result.stdout;
  }

  /** The image of docker/Dockerfile, on the Debian of this machine, with the npm and the registry that this machine uses. */
  async build(image: string, args: Readonly<Record<string, string>>): Promise<void> {
    const base = await baseArchive(this.#directory);
    await this.run('from', '--name', 'base', 'scratch');
    await this.run('add', '--quiet', 'base', base, '/');
    await this.run('commit', '--quiet', '--rm', 'base', 'test-base');
    await this.#makeBuildImage();
    const npmrc = join(this.#directory, 'npmrc');
    await this.#writeSettingsOfNpm(npmrc);
    try {
      const named = { ...args, BASE_IMAGE: 'localhost/test-base', BUILD_IMAGE: 'localhost/test-build' };
      await this.run(
        ...['bud', '--isolation', 'chroot', '--format', 'docker', '--file', join(REPOSITORY, 'docker', 'Dockerfile'), '--tag', image],
        ...['--secret', `id=npmrc,src=${npmrc}`, '--volume', `${await npm('cache')}:${NPM_CACHE}:rw`],
        ...Object.entries(named).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
        REPOSITORY,
      );
    } finally {
      await rm(npmrc, { force: true });
    }
  }

  async config(image: string): Promise<ImageConfig> {
    const described = JSON.parse(await this.run('inspect', '--type', 'image', image)) as { Docker?: { config?: unknown } };
    return imageConfig.parse(described.Docker?.config);
  }

  /** In the place of the image with Node and npm: those of this machine, on the same base, with the authorities that it trusts. */
  async #makeBuildImage(): Promise<void> {
    const context = join(this.#directory, 'build-image');
    await mkdir(context);
    await copyFile(NODE, join(context, 'node'));
    const program = (await succeed('readlink', ['--canonicalize', findProgram('npm') ?? 'npm'])).trim();
    await cp(dirname(dirname(program)), join(context, 'npm'), { recursive: true, dereference: true });
    const authorities = process.env['NODE_EXTRA_CA_CERTS'];
    await (authorities ? copyFile(authorities, join(context, 'authorities.pem')) : writeFile(join(context, 'authorities.pem'), ''));
    const lines = [
      'FROM localhost/test-base',
      'COPY node /usr/local/bin/node',
      'COPY npm /usr/local/lib/node_modules/npm',
      'COPY authorities.pem /etc/authorities.pem',
      'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm',
      ...(authorities ? ['ENV NODE_EXTRA_CA_CERTS=/etc/authorities.pem'] : []),
    ];
    await writeFile(join(context, 'Dockerfile'), `${lines.join('\n')}\n`);
    await this.run('bud', '--quiet', '--isolation', 'chroot', '--tag', 'test-build', context);
  }

  /** The user's own settings, the registry that they or the surroundings name, and this machine's cache. */
  async #writeSettingsOfNpm(path: string): Promise<void> {
    await copyFile(await npm('userconfig'), path).catch(() => undefined);
    await writeFile(path, `\nregistry=${await npm('registry')}\ncache=${NPM_CACHE}\n`, { flag: 'a', mode: 0o600 });
  }

  async #try(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const env = { ...machine(), TMPDIR: tmpdir() };
    return run({ command: 'unshare', args: ['--mount', ...this.command, ...args], env });
  }
}

async function npm(key: string): Promise<string> {
  const { stdout } = await exec('npm', ['config', 'get', key], { env: machine() });
  return stdout.trim();
}

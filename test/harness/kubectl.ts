/**
 * The real kubectl against one site, as its operator or as a user: with a kubeconfig that `dtkd kubeconfig` wrote, and a home of its own
 * in the site's stage, so that no test touches that of the user who runs it. It gets nothing else from the environment.
 */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Child, type ChildOptions, run } from './child.ts';
import { findProgram, missing } from './programs.ts';
import type { Site } from './site.ts';

const clientVersion = z.looseObject({ clientVersion: z.looseObject({ major: z.string(), minor: z.string() }) });

/** The oldest minor version of Kubernetes 1 whose kubectl dtkd promises to satisfy. */
const OLDEST = 29;

/** Why there can be no kubectl here, or undefined: for `describe.skipIf`. */
export const NO_KUBECTL = missing(['kubectl']) ?? tooOld();

function tooOld(): string | undefined {
  const said = execFileSync(findProgram('kubectl') ?? 'kubectl', ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  const { major, minor } = clientVersion.parse(JSON.parse(said)).clientVersion;
  return Number(major) > 1 || Number.parseInt(minor, 10) >= OLDEST ? undefined : `needs kubectl 1.${OLDEST}, and this is ${major}.${minor}`;
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface KubectlOptions {
  /** Of a user of the site; default: the operator's. */
  token?: string;
}

export interface RunOptions {
  stdin?: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

export class Kubectl {
  readonly home: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #netns: string | undefined;

  constructor(home: string, env: NodeJS.ProcessEnv, netns: string | undefined) {
    this.home = home;
    this.#env = env;
    this.#netns = netns;
  }

  get kubeconfig(): string {
    return kubeconfigIn(this.home);
  }

  /** Any exit status is an answer. */
  run(...args: string[]): Promise<Ran> {
    return this.with({}, ...args);
  }

  with({ stdin, ...where }: RunOptions, ...args: string[]): Promise<Ran> {
    return run({ ...this.#command(args, where), ...(stdin === undefined ? {} : { stdin }) });
  }

  /** Standard output of a run that must succeed. */
  async out(...args: string[]): Promise<string> {
    return this.#succeeded(args, await this.run(...args));
  }

  /** As `out`, with the text, or the object as JSON, on standard input. */
  async send(input: string | Record<string, unknown>, ...args: string[]): Promise<string> {
    const stdin = typeof input === 'string' ? input : JSON.stringify(input);
    return this.#succeeded(args, await this.with({ stdin }, ...args));
  }

  /** Starts one that goes on, e.g. `get -w`; the caller ends it. */
  start(...args: string[]): Child {
    return new Child(this.#command(args, {}));
  }

  #command(args: readonly string[], { cwd, env }: Omit<RunOptions, 'stdin'>): ChildOptions {
    return {
      command: findProgram('kubectl') ?? 'kubectl',
      args,
      env: { ...this.#env, ...env },
      cwd: cwd ?? this.home,
      ...(this.#netns === undefined ? {} : { netns: this.#netns }),
    };
  }

  #succeeded(args: readonly string[], ran: Ran): string {
    if (ran.code === 0) return ran.stdout;
    throw new Error(`kubectl ${args.join(' ')} ended with ${ran.code}:\n${ran.stdout}${ran.stderr}`);
  }
}

let homes = 0;

/** kubectl for a running site. After a restart of the site at another address it has to be asked for again. */
export async function kubectlOf(site: Site, { token }: KubectlOptions = {}): Promise<Kubectl> {
  homes += 1;
  const home = `${site.dir}.kubectl-${homes}`;
  await mkdir(join(home, '.kube'), { recursive: true });
  const given = token === undefined ? [] : ['--token', token];
  const written = await site.cli(...given, 'kubeconfig', '--write', kubeconfigIn(home));
  if (written.code !== 0) throw new Error(`dtkd kubeconfig ended with ${written.code}:\n${written.stderr}`);
  return new Kubectl(
    home,
    { PATH: process.env['PATH'], HOME: home, KUBECONFIG: kubeconfigIn(home), LC_ALL: 'C.UTF-8' },
    site.options.inside?.netns,
  );
}

function kubeconfigIn(home: string): string {
  return join(home, '.kube', 'config');
}

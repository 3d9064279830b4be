import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { DispatchRequestSpec, NodeFilter } from '../../protocol/kinds/execution.ts';
import type { Cli, GlobalFlags } from '../cli.ts';
import type { ApiClient } from '../client/api.ts';
import { putFile } from '../client/content.ts';
import { download } from '../client/download.ts';
import type { Attended, AttendOptions } from '../dispatch/attend.types.ts';
import { type CopyPlan, copyPlan, directoryOf, type RemotePath } from '../dispatch/copy-paths.ts';
import { type PartView, partsOf } from '../dispatch/execution.ts';
import { addRunFlags, addStartFlags, DEFAULT_THREADS, type RunFlags, runFields, type StartFlags, start } from '../dispatch/start.ts';
import { EXIT, EXIT_HELP } from '../dispatch/summary.ts';
import { parseLimit } from '../input/limit.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { formatSize } from '../output/size.ts';

const EXAMPLES = `
Examples:
  dtkd cp motd node1:/etc/motd
  dtkd cp nginx.conf mime.types 'tags=web':/etc/nginx/      into a directory, under their own names
  dtkd cp app.tar '.*':/srv/ --threads 32 --dry-run         every node; tell which, and copy nothing
  dtkd cp node1:/var/log/app.log .
  dtkd cp 'tags=web':/etc/nginx/nginx.conf confs            of several nodes: confs/NODE/nginx.conf

Regular files only; pack a directory first. Before ":/" write the name of a node (a list, a regular expression), or KEY=VALUE
as with "dtkd run --on". A file keeps its mode, is verified by hash, and is put in place at once. An interrupted copy to
this machine resumes where it stopped. You need a capability that names cp, see "dtkd grant".

${EXIT_HELP}`;

interface CopyFlags extends StartFlags, RunFlags {
  threads: number;
  mode?: number;
  stopOnFailure?: boolean;
}

/** Worst first. Other statuses (130 after Ctrl-C) are worse still. */
const WORST: readonly number[] = [EXIT.failed, EXIT.unknown, EXIT.untold, EXIT.paused, EXIT.queued, EXIT.succeeded];

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<paths...>', 'files, and where they go')
    .option('--threads <number>', 'nodes at a time', parseLimit, DEFAULT_THREADS)
    .option('--mode <octal>', 'permissions of the copies (default: those of the file)', parseMode)
    .option('--stop-on-failure', 'after a failure, start no more nodes');
  addStartFlags(addRunFlags(command));
  command.addHelpText('after', EXAMPLES).action(async (paths: string[], flags: CopyFlags) => {
    const plan = copyPlan(paths);
    const copying = new Copying(cli, { ...flags, loglevel: 'info' }, command.optsWithGlobals<GlobalFlags>());
    if (plan.direction === 'to') await copying.to(plan);
    else await copying.from(plan);
  });
}

class Copying {
  readonly #cli: Cli;
  readonly #flags: CopyFlags;
  readonly #global: GlobalFlags;
  readonly #statuses: number[] = [];

  constructor(cli: Cli, flags: CopyFlags, global: GlobalFlags) {
    this.#cli = cli;
    this.#flags = flags;
    this.#global = global;
  }

  async to({ files, filter }: CopyPlan & { direction: 'to' }): Promise<void> {
    // Check all files before sending any.
    for (const { local } of files) await assertFile(local);
    for (const { local, remote } of files) {
      const put = await this.#offer(local);
      const attended = await this.#dispatch({ put: { ...put, mode: this.#flags.mode ?? put.mode, path: remote } }, filter);
      if (attended === undefined) continue;
      const nodes = succeeded(attended).map(({ node }) => node);
      if (nodes.length > 0) this.#cli.out.print(`${local} → ${placesOf(nodes)}:${remote} (${formatSize(put.size)})`);
      if (this.#isLeft()) break;
    }
    this.#conclude();
  }

  /** Sends a file to the daemon; in a dry run, only hashes it. */
  async #offer(local: string): Promise<{ digest: string; size: number; mode: number }> {
    if (this.#flags.dryRun === true) return hashed(local);
    const line = this.#progress(`sending ${local} to the daemon`);
    try {
      return await putFile(await this.#cli.client(), local, { onProgress: (done, size) => line.show(done, size) });
    } finally {
      line.clear();
    }
  }

  async from({ files, local }: CopyPlan & { direction: 'from' }): Promise<void> {
    if (this.#flags.detach === true)
      throw new DtkdError('BAD_REQUEST', '--detach works only for copies to nodes, not for copies from them');
    const directory = (await isDirectory(local)) || local.endsWith('/') || files.length > 1;
    const client = await this.#cli.client();
    for (const file of files) {
      const attended = await this.#dispatch({ get: { path: file.path } }, file.filter);
      if (attended === undefined) continue;
      const several = attended.execution.parts.size > 1;
      if (several && !directory && (await exists(local))) {
        throw new DtkdError('BAD_REQUEST', `${local} is one file, and ${file.path} comes from several nodes`, {
          next: 'Name a directory.',
        });
      }
      for (const part of succeeded(attended))
        await this.#fetch(client, file, part, await placeFor(local, file, part, { directory, several }));
      if (this.#isLeft()) break;
    }
    this.#conclude();
  }

  async #fetch(client: ApiClient, { path }: RemotePath, { node, file }: PartView, place: string): Promise<void> {
    const line = this.#progress(`${node}:${path}`);
    try {
      if (file === undefined)
        throw new DtkdError('NOT_DTKD', `${node} did not report what it read`, { next: 'Its dtkd may be too old: upgrade it.' });
      const mode = this.#flags.mode ?? file.mode;
      await download(client, { ...file, mode, node }, place, { onProgress: (done, size) => line.show(done, size) });
      line.clear();
      this.#cli.out.print(`${node}:${path} → ${place} (${formatSize(file.size)})`);
    } catch (error) {
      line.clear();
      this.#cli.failed(error);
      this.#statuses.push(EXIT.failed);
    }
  }

  /** Undefined if there was nothing to wait for. */
  #dispatch(what: Pick<DispatchRequestSpec, 'put' | 'get'>, filter: string): Promise<Attended | undefined> {
    const nodes: NodeFilter = { include: [filter] };
    const { threads, stopOnFailure } = this.#flags;
    const request: DispatchRequestSpec = { ...what, filter: nodes, threads, keepGoing: stopOnFailure !== true, ...runFields(this.#flags) };
    // Each file has a status of its own; the worst one becomes the exit status.
    const cli: Cli = { ...this.#cli, exitWith: (status) => void this.#statuses.push(status) };
    const options: Omit<AttendOptions, 'start' | 'show' | 'waitForQueued' | 'id'> = {
      prefix: 'node',
      localIsPlain: false,
      global: this.#global,
    };
    return start(cli, this.#flags, { path: 'dispatch', body: { request } }, options);
  }

  /** True if the person interrupted the last copy. */
  #isLeft(): boolean {
    const last = this.#statuses.at(-1);
    return last !== undefined && !WORST.includes(last);
  }

  #conclude(): void {
    const other = this.#statuses.find((status) => !WORST.includes(status));
    const status = other ?? WORST.find((known) => this.#statuses.includes(known));
    if (status !== undefined && status !== 0) this.#cli.exitWith(status);
  }

  #progress(what: string): ProgressLine {
    return new ProgressLine(what, this.#cli.out.interactive ? (text) => process.stderr.write(text) : undefined);
  }
}

function succeeded({ execution }: Attended): PartView[] {
  return partsOf(execution).filter(({ outcome }) => outcome === 'succeeded');
}

/** Nodes that are named; the rest are counted. */
const NAMED = 3;

function placesOf(nodes: readonly string[]): string {
  return nodes.length <= NAMED ? nodes.join(',') : `${nodes.slice(0, NAMED).join(',')} and ${nodes.length - NAMED} more`;
}

/** The local path of a copy. Creates directories if there are several nodes. */
async function placeFor(
  local: string,
  { path }: RemotePath,
  { node }: PartView,
  { directory, several }: { directory: boolean; several: boolean },
): Promise<string> {
  if (!several) return directory ? join(await made(local), basename(path)) : local;
  return join(await made(join(local, directoryOf(node))), basename(path));
}

async function made(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  return path;
}

async function assertFile(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined) {
    const next = /^[^/]+:/.test(path) ? 'A file on a node is named like node1:/etc/motd, with a path from the root.' : undefined;
    throw new DtkdError('BAD_REQUEST', `there is no file ${path}`, next === undefined ? {} : { next });
  }
  if (stats.isDirectory())
    throw new DtkdError('BAD_REQUEST', `${path} is a directory`, { next: `Pack it first: tar -cf ${basename(path)}.tar ${path}` });
  if (!stats.isFile()) throw new DtkdError('BAD_REQUEST', `${path} is not a regular file`);
}

async function hashed(path: string): Promise<{ digest: string; size: number; mode: number }> {
  const { size, mode } = await stat(path);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return { digest: hash.digest('hex'), size, mode: mode & 0o777 };
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function parseMode(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw new DtkdError('BAD_REQUEST', `"${text.slice(0, 40)}" is not a mode`, { next: 'Write three octal digits, e.g. 644.' });
}

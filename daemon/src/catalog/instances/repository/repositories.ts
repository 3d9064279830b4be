/**
 * The repositories of all service instances of a node: DATA/instances/NAME. Owns that directory. Guarantees that each is created
 * completely or not at all, and that one thing at a time is done in each. Does not know what the files say.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { instanceName } from '../../../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { syncDirectory } from '../../../disk/sync-directory.ts';
import { commitObject, indexOf, oidOf, treesOf } from './git-format.ts';
import { GitRepository } from './git-repository.ts';
import { makeLayout } from './layout.ts';
import { GitObjects } from './objects.ts';
import { pathFault, shownPath } from './paths.ts';
import { MAIN, moveRef } from './refs.ts';
import type {
  Author,
  Commit,
  CommitRequest,
  FileWrite,
  NewFile,
  Repositories,
  Repository,
  RestoreRequest,
  Tree,
  WorkStatus,
} from './repository.types.ts';
import { codeOf, eachOf, exists, replaceFile, storageError, temporaryIn } from './storage.ts';
import { WorkTrees } from './work-tree.ts';
import { WorkTreeWriter } from './writing.ts';

const BEGUN = '.new-';
const UNINSTALLED = '.uninstalled';

export interface RepositoriesOptions {
  /** DATA/instances. Created if missing. */
  directory: string;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

export function createRepositories(options: RepositoriesOptions): Repositories {
  return new RepositoriesOnDisk(options);
}

class RepositoriesOnDisk implements Repositories {
  readonly #directory: string;
  readonly #now: () => number;
  readonly #open = new Map<string, TakingTurns>();
  /** Names that are being created. */
  readonly #making = new Set<string>();

  constructor({ directory, now = () => Date.now() }: RepositoriesOptions) {
    this.#directory = directory;
    this.#now = now;
  }

  directory(name: string): string {
    if (!instanceName.safeParse(name).success) throw notFound(name);
    return join(this.#directory, name);
  }

  async names(): Promise<string[]> {
    const entries = await readdir(this.#directory, { withFileTypes: true }).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    });
    return entries
      .filter((entry) => entry.isDirectory() && instanceName.safeParse(entry.name).success)
      .map((entry) => entry.name)
      .sort();
  }

  async create(
    name: string,
    files: readonly NewFile[],
    commit: { message: string; author: Author },
  ): Promise<{ commit: string; directory: string }> {
    const directory = this.directory(name);
    if (this.#making.has(name)) throw taken(name);
    this.#making.add(name);
    const aside = temporaryIn(this.#directory, BEGUN);
    try {
      if (await exists(directory)) throw taken(name);
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const id = await fill(aside, files, { ...commit, at: this.#now() });
      await rename(aside, directory);
      await syncDirectory(this.#directory);
      return { commit: id, directory };
    } catch (error) {
      if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST') throw taken(name);
      throw storageError(error);
    } finally {
      this.#making.delete(name);
      await rm(aside, { recursive: true, force: true });
    }
  }

  open(name: string): Promise<Repository> {
    return this.#opened(name);
  }

  async #opened(name: string): Promise<TakingTurns> {
    const directory = this.directory(name);
    if (!(await exists(join(directory, '.git')))) {
      this.#open.delete(name);
      throw gone(name, directory);
    }
    const opened = this.#open.get(name) ?? new TakingTurns(new GitRepository({ name, directory, now: this.#now }));
    this.#open.set(name, opened);
    return opened;
  }

  async archive(name: string): Promise<string> {
    const repository = await this.#opened(name);
    return repository.alone(async () => {
      const kept = join(this.#directory, UNINSTALLED);
      await mkdir(kept, { recursive: true, mode: 0o700 });
      const time = new Date(this.#now()).toISOString().replace(/[:.]/g, '-');
      let path = join(kept, `${name}-${time}`);
      for (let number = 2; await exists(path); number++) path = join(kept, `${name}-${time}-${number}`);
      await rename(repository.directory, path);
      repository.close();
      this.#open.delete(name);
      await syncDirectory(kept);
      await syncDirectory(this.#directory);
      return path;
    });
  }

  async drop(name: string): Promise<void> {
    const directory = this.directory(name);
    this.#open.delete(name);
    const aside = temporaryIn(this.#directory, BEGUN);
    await rename(directory, aside).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
    });
    await rm(aside, { recursive: true, force: true });
  }

  async tidy(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#directory)) {
      if (name.startsWith(BEGUN)) await rm(join(this.#directory, name), { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    }
    // recover now: people's git cannot wait for the daemon's next use. Whoever uses a repository that cannot be recovered gets the error
    for (const name of await this.names())
      await this.#opened(name)
        .then((one) => one.alone(async () => undefined))
        .catch(() => undefined);
  }
}

/** Creates a repository with one commit, and returns the commit's id. */
async function fill(
  directory: string,
  files: readonly NewFile[],
  { message, author, at }: { message: string; author: Author; at: number },
): Promise<string> {
  const gitdir = join(directory, '.git');
  for (const { path } of files) {
    const fault = pathFault(path);
    if (fault !== undefined) throw new DtkdError('INVALID', `${shownPath(path)} ${fault}`);
  }
  await mkdir(directory, { recursive: true });
  await makeLayout(gitdir);
  const writer = new WorkTreeWriter(directory, gitdir);
  const written = files.map(({ path, data, executable = false }) => ({ path, executable, oid: oidOf('blob', data), data }));
  await eachOf(written, ({ path, data, executable }) => writer.put(path, data, executable));
  const { root, trees } = treesOf(written);
  const commit = commitObject({ tree: root, parents: [], author, message, at });
  await new GitObjects(gitdir).write([...written.map(({ oid, data }) => ({ oid, type: 'blob', body: data }) as const), ...trees, commit]);
  const { stats } = await new WorkTrees(directory).look(new Map(written.map((file) => [file.path, file])));
  const entries = written.flatMap((file) => {
    const stat = stats.get(file.path);
    return stat === undefined ? [] : [{ ...file, stat }];
  });
  await replaceFile({ path: join(gitdir, 'index'), data: indexOf(entries) });
  await moveRef(gitdir, MAIN, commit.oid);
  return commit.oid;
}

/** Serializes all calls on a repository, in the order in which they were made. */
class TakingTurns implements Repository {
  readonly #repository: GitRepository;
  #last: Promise<unknown> = Promise.resolve();
  /** False at first and after a failure: recovery must run before the next call. */
  #inOrder = false;
  #closed = false;

  constructor(repository: GitRepository) {
    this.#repository = repository;
  }

  get name(): string {
    return this.#repository.name;
  }

  get directory(): string {
    return this.#repository.directory;
  }

  head(): Promise<string> {
    return this.alone((repository) => repository.head());
  }

  applied(): Promise<string | undefined> {
    return this.alone((repository) => repository.applied());
  }

  setApplied(commit: string | undefined): Promise<void> {
    return this.alone((repository) => repository.setApplied(commit));
  }

  resolve(revision: string): Promise<string> {
    return this.alone((repository) => repository.resolve(revision));
  }

  log(options?: { from?: string | undefined; limit?: number | undefined }): Promise<Commit[]> {
    return this.alone((repository) => repository.log(options));
  }

  tree(revision: string): Promise<Tree> {
    return this.alone((repository) => repository.tree(revision));
  }

  status(): Promise<WorkStatus> {
    return this.alone((repository) => repository.status());
  }

  commit(request: CommitRequest): Promise<{ commit: string; changed: boolean }> {
    return this.alone((repository) => repository.commit(request));
  }

  restore(revision: string, request: RestoreRequest): Promise<{ commit: string; changed: boolean }> {
    return this.alone((repository) => repository.restore(revision, request));
  }

  commitFiles(files: readonly FileWrite[], request: CommitRequest): Promise<{ commit: string; changed: boolean }> {
    return this.alone((repository) => repository.commitFiles(files, request));
  }

  write(files: readonly FileWrite[]): Promise<void> {
    return this.alone((repository) => repository.write(files));
  }

  /** The repository was moved away: calls still waiting are refused, and never touch a new repository of the same name. */
  close(): void {
    this.#closed = true;
  }

  alone<T>(work: (repository: Repository) => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => {
      if (this.#closed) throw notFound(this.name);
      if (!this.#inOrder) await this.#repository.recover();
      this.#inOrder = false;
      const result = await work(this.#repository);
      this.#inOrder = true;
      return result;
    });
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

function taken(name: string): DtkdError {
  return new DtkdError('ALREADY_EXISTS', `there is a service ${name} on this node`, { next: 'Stage it under another name: --name.' });
}

function notFound(name: string): DtkdError {
  return new DtkdError('NOT_FOUND', `there is no service ${JSON.stringify(name.slice(0, 80))} on this node`, {
    next: 'List services with "dtkd service ls".',
  });
}

/** For a service whose files are missing. */
function gone(name: string, directory: string): DtkdError {
  return new DtkdError('NOT_FOUND', `the files of service ${JSON.stringify(name)} are gone from ${directory}`, {
    next: `Restore them from a backup, or remove the service: dtkd service uninstall ${name}.`,
  });
}

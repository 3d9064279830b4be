/**
 * Objects of one git repository. Writes loose objects the way git does, to a temporary file that is renamed once complete, since
 * the process may die at any time; isomorphic-git does not do this. Reads packs through isomorphic-git.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { syncDirectory } from '../../../disk/sync-directory.ts';
import { type GitObject, header, type ObjectType, oidOf } from './git-format.ts';
import { type GitReader, isomorphicGit } from './isomorphic.ts';
import { MAX_PACK_BYTES, PACKS_KEPT_MS } from './limits.ts';
import { codeOf, eachOf, exists, replaceFile } from './storage.ts';

const deflated = promisify(deflate);
const inflated = promisify(inflate);
/** Bytes allowed for the header of a loose object. */
const HEADER_BYTES = 32;
const TYPES: readonly ObjectType[] = ['blob', 'tree', 'commit', 'tag'];
/** Temporary names of objects that are being written. Git's own are shorter, and must stay, as a git may be at work. */
const UNFINISHED = /^tmp_obj_[0-9a-f]{12}$/;

export class GitObjects {
  readonly #gitdir: string;
  #reader: Promise<GitReader> | undefined;
  #forgetting: NodeJS.Timeout | undefined;

  constructor(gitdir: string) {
    this.#gitdir = gitdir;
  }

  /** The reader of packs. Keeps each pack in memory as a whole until nothing was read for a while. Errors: TOO_LARGE. */
  async reader(): Promise<GitReader> {
    clearTimeout(this.#forgetting);
    this.#forgetting = setTimeout(() => {
      this.#reader = undefined;
    }, PACKS_KEPT_MS);
    this.#forgetting.unref();
    this.#reader ??= readerOf(this.#gitdir);
    const reading = this.#reader;
    try {
      return await reading;
    } catch (error) {
      if (this.#reader === reading) this.#reader = undefined;
      throw error;
    }
  }

  /** Reads an object. Errors: NOT_FOUND, TOO_LARGE; CONTENT_ALTERED if the content does not match the id. */
  async read(oid: string, type: ObjectType, limit: number): Promise<Uint8Array> {
    const found = (await this.#loose(oid, limit)) ?? (await this.#packed(oid));
    if (found === undefined || found.type !== type) throw new DtkdError('NOT_FOUND', `there is no ${type} ${oid} in this repository`);
    if (found.body.length > limit) throw tooLarge(limit);
    return found.body;
  }

  /** Writes the objects that are missing. They are durable when it resolves. */
  async write(objects: Iterable<GitObject>): Promise<void> {
    const directories = new Set<string>();
    await eachOf(objects, async ({ oid, type, body }) => {
      const path = this.#path(oid);
      if (await exists(path)) return;
      directories.add(dirname(path));
      await mkdir(dirname(path), { recursive: true });
      // `git gc` also removes abandoned files with such names
      const temporary = join(dirname(path), `tmp_obj_${randomBytes(6).toString('hex')}`);
      await replaceFile({ path, data: await deflated(Buffer.concat([header(type, body), body]), { level: 1 }), mode: 0o444, temporary });
    });
    await eachOf(directories, syncDirectory);
  }

  /** Removes files left by a process that died. Only call it while nothing is being written. */
  async tidy(): Promise<void> {
    const objects = join(this.#gitdir, 'objects');
    const directories = (await readdir(objects)).filter((name) => /^[0-9a-f]{2}$/.test(name));
    await eachOf(directories, async (name) => {
      const left = (await readdir(join(objects, name))).filter((file) => UNFINISHED.test(file));
      for (const file of left) await rm(join(objects, name, file), { force: true });
    });
  }

  #path(oid: string): string {
    return join(this.#gitdir, 'objects', oid.slice(0, 2), oid.slice(2));
  }

  async #loose(oid: string, limit: number): Promise<{ type: string; body: Uint8Array } | undefined> {
    let bytes: Buffer;
    try {
      const compressed = await readFile(this.#path(oid));
      bytes = await inflated(compressed, { maxOutputLength: limit + HEADER_BYTES });
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT') return undefined;
      if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
      throw altered(oid, error);
    }
    const end = bytes.indexOf(0);
    const said = /^(\w+) \d+$/.exec(bytes.toString('latin1', 0, Math.max(0, end)))?.[1];
    const type = TYPES.find((one) => one === said);
    const body = bytes.subarray(end + 1);
    if (type === undefined || oidOf(type, body) !== oid) throw altered(oid);
    return { type, body };
  }

  async #packed(oid: string): Promise<{ type: string; body: Uint8Array } | undefined> {
    const git = await this.reader();
    try {
      const { type, object } = await git.readObject({ oid, format: 'content' });
      return object instanceof Uint8Array ? { type, body: object } : undefined;
    } catch (error) {
      if (codeOf(error) === 'NotFoundError') return undefined;
      throw altered(oid, error);
    }
  }
}

async function readerOf(gitdir: string): Promise<GitReader> {
  const packs = join(gitdir, 'objects', 'pack');
  const names = await readdir(packs).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  for (const name of names.filter((one) => one.endsWith('.pack'))) {
    const { size } = await stat(join(packs, name)).catch(() => ({ size: 0 }));
    if (size <= MAX_PACK_BYTES) continue;
    throw new DtkdError('TOO_LARGE', `a pack of this repository has more than ${MAX_PACK_BYTES / 1024 / 1024} MiB`, {
      next: `Divide it: git -C ${dirname(gitdir)} repack -a -d --max-pack-size=${MAX_PACK_BYTES / 2 / 1024 / 1024}m`,
    });
  }
  return isomorphicGit(gitdir);
}

function tooLarge(limit: number): DtkdError {
  return new DtkdError('TOO_LARGE', `an object of this repository has more than ${limit / 1024 / 1024} MiB`, {
    next: 'Keep large files out of service instances.',
  });
}

function altered(oid: string, cause?: unknown): DtkdError {
  return new DtkdError('CONTENT_ALTERED', `the object ${oid.slice(0, 12)}… of this repository cannot be read`, {
    next: 'See what is wrong with "git fsck", and fetch what is missing from a clone.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * The modules on this node: their archives in the content store, and their signatures in rows of statements.ts. Verifies the digest of all
 * that it reads from disk, and caches modules in memory within a limit. Does not know which modules are installed.
 */
import { readFile } from 'node:fs/promises';
import { type CodeRef, digest as digestText } from '../../../../protocol/definitions/code.ts';
import { MAX_MODULE_BYTES, signedModule } from '../../../../protocol/definitions/module.ts';
import { bareCode, instanceOfCode } from '../../../../protocol/definitions/scoped-names.ts';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { unpackArchive } from '../../../../protocol/modules/archive.ts';
import { soundModule } from '../../../../protocol/modules/check.ts';
import { verifyStatement } from '../../../../protocol/orders/signed-bundle.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { type Kv, prefixEnd } from '../../store/kv.ts';
import { CACHED_BYTES, KEPT_MS, RENEW_MS } from './limits.ts';
import type { LoadedModule, ModuleContent, SignedStatement } from './ports.ts';
import { rowOf, STATEMENTS, statementRow } from './statements.ts';

export interface LibraryOptions {
  kv: Kv;
  content: ModuleContent;
  /** This node's public signing key. */
  publisher: string;
  logger: Logger;
  now: () => number;
}

export function encodeSigned({ statement, signature }: SignedStatement): Uint8Array {
  return encodeCbor({ statement, signature });
}

export class Library {
  readonly #options: LibraryOptions;
  readonly #cache = new Map<string, { module: Promise<LoadedModule | undefined>; size: number }>();
  readonly #allowed = new Map<string, number>();

  constructor(options: LibraryOptions) {
    this.#options = options;
  }

  async get(digest: string): Promise<LoadedModule | undefined> {
    if (!digestText.safeParse(digest).success) return undefined;
    const known = this.#cache.get(digest);
    const module = known?.module ?? this.#load(digest);
    const loaded = await module.catch((error: unknown) => {
      this.#cache.delete(digest);
      throw error;
    });
    if (loaded === undefined) this.#cache.delete(digest);
    else {
      this.#use(digest);
      this.#stays(digest);
    }
    return loaded;
  }

  async keep(signed: SignedStatement, bytes: Uint8Array): Promise<CodeRef> {
    return (await this.take(signed, bytes)).ref;
  }

  /** Keeps the archive, and returns its contents. */
  async take(signed: SignedStatement, bytes: Uint8Array): Promise<LoadedModule> {
    const { content, kv } = this.#options;
    const statement = verifyStatement(signed);
    if ((await sha256(bytes)) !== statement.digest) {
      throw altered(`the content of module ${statement.name} ${statement.version} is not what its publisher signed`);
    }
    const archive = unpackArchive(bytes);
    const manifest = await soundModule(archive);
    if (!isOfStatement(manifest, statement)) {
      throw altered(`the archive of module ${statement.name} ${statement.version} says that it is ${manifest.module} ${manifest.version}`);
    }
    if ((await content.path(statement.digest)) === undefined) await content.take(chunksOf(bytes), { limit: MAX_MODULE_BYTES });
    await this.allow(statement.digest, KEPT_MS);
    const row = rowOf(statement);
    if ((await kv.get(row)) === undefined) {
      await kv.batch([{ type: 'put', key: row, value: encodeSigned(signed) }], {
        sync: true,
      });
    }
    this.#cache.delete(statement.digest);
    return { manifest, archive, ref: statement };
  }

  /** Lets members fetch the archive, which also keeps it in the content store. */
  async allow(digest: string, forMs: number): Promise<void> {
    const until = this.#options.now() + forMs;
    const before = this.#allowed.get(digest) ?? 0;
    if (before > until - RENEW_MS) return;
    this.#allowed.set(digest, until);
    try {
      await this.#options.content.allow(digest, 'members', until);
    } catch (error) {
      if (this.#allowed.get(digest) === until) this.#allowed.set(digest, before);
      throw error;
    }
  }

  /** Drops the cached module, so that it is read again on next use: its signatures have changed. */
  forget(digest: string): void {
    this.#cache.delete(digest);
  }

  /**
   * Called when a module is no longer installed. Orders that wait may still need it for a while; while this node has copies of it, it
   * stays.
   */
  async release(digest: string): Promise<void> {
    const { kv, publisher } = this.#options;
    const copies = `${statementRow(digest, publisher)}/`;
    if ((await kv.page({ gte: copies, lt: prefixEnd(copies), limit: 1, keysOnly: true })).length > 0) return;
    this.#allowed.delete(digest);
    await this.allow(digest, KEPT_MS).catch((error: unknown) => {
      // already missing, so there is nothing to release
      if (!(error instanceof DtkdError) || error.code !== 'CONTENT_MISSING') throw error;
    });
  }

  /** The bytes of an archive on this node, verified by their digest. Errors: CONTENT_MISSING, CONTENT_ALTERED. */
  async bytes(digest: string): Promise<Buffer> {
    const path = await this.#options.content.path(digest);
    if (path === undefined) throw missing(digest);
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw missing(digest, cause);
    });
    if (bytes.length > MAX_MODULE_BYTES) throw new DtkdError('TOO_LARGE', `a module has at most ${MAX_MODULE_BYTES / 1024 / 1024} MiB`);
    if ((await sha256(bytes)) !== digest) throw altered(`the content ${digest.slice(0, 12)}… was altered on this node's disk`);
    return bytes;
  }

  /** Deletes the signatures of archives that are no longer here. */
  async tidy(): Promise<void> {
    const { kv, content } = this.#options;
    for (let gte = STATEMENTS, more = true; more; ) {
      const page = await kv.page({ gte, lt: prefixEnd(STATEMENTS), keysOnly: true });
      const gone: string[] = [];
      for (const [key] of page) {
        const digest = key.slice(STATEMENTS.length, STATEMENTS.length + 64);
        if (content.size(digest) === undefined) gone.push(key);
      }
      if (gone.length > 0)
        await kv.batch(
          gone.map((key) => ({ type: 'del', key })),
          { sync: false },
        );
      const last = page.at(-1)?.[0];
      more = last !== undefined;
      if (last !== undefined) gte = `${last}\0`;
    }
  }

  #load(digest: string): Promise<LoadedModule | undefined> {
    const module = this.#read(digest);
    this.#cache.set(digest, { module, size: 0 });
    return module;
  }

  async #read(digest: string): Promise<LoadedModule | undefined> {
    const ref = await this.#signer(digest);
    if (ref === undefined) return undefined;
    let bytes: Buffer;
    try {
      bytes = await this.bytes(digest);
    } catch (error) {
      if (!(error instanceof DtkdError) || error.code === 'TOO_LARGE') throw error;
      if (error.code === 'CONTENT_ALTERED')
        this.#options.logger.warn({ digest, module: ref.name }, 'The archive of a module was altered; it is not used');
      return undefined;
    }
    const archive = unpackArchive(bytes);
    const manifest = await soundModule(archive);
    const entry = this.#cache.get(digest);
    if (entry !== undefined) entry.size = bytes.length;
    this.#evict(digest);
    return { manifest, archive, ref };
  }

  /** One of its publishers: this node, if it is one. */
  async #signer(digest: string): Promise<CodeRef | undefined> {
    const { kv, publisher } = this.#options;
    for (const prefix of [statementRow(digest, publisher), statementRow(digest, '')]) {
      // the row of the module itself sorts before those of its copies
      const [row] = await kv.page({ gte: prefix, lt: prefixEnd(prefix), limit: 1 });
      if (row !== undefined) return verifyStatement(decodeCbor(row[1], signedModule, 'the signature of a module'));
    }
    return undefined;
  }

  /** Keeps a module that is in use. */
  #stays(digest: string): void {
    this.allow(digest, KEPT_MS).catch((err: unknown) =>
      this.#options.logger.warn({ err, digest }, 'The time to keep a module that is in use could not be extended'),
    );
  }

  /** Moves the entry to the end, which holds the most recently used one. */
  #use(digest: string): void {
    const entry = this.#cache.get(digest);
    if (entry === undefined) return;
    this.#cache.delete(digest);
    this.#cache.set(digest, entry);
  }

  #evict(keep: string): void {
    let total = 0;
    for (const { size } of this.#cache.values()) total += size;
    for (const [digest, { size }] of this.#cache) {
      if (total <= CACHED_BYTES) return;
      if (digest === keep) continue;
      this.#cache.delete(digest);
      total -= size;
    }
  }
}

/** Runs off the event loop, since an archive may be large. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))).toString('hex');
}

export async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function altered(message: string): DtkdError {
  return new DtkdError('CONTENT_ALTERED', message, { next: 'Install the module again from its source.' });
}

function missing(digest: string, cause?: unknown): DtkdError {
  return new DtkdError('CONTENT_MISSING', `the content ${digest.slice(0, 12)}… is not on this node`, {
    next: 'Send the archive first, as "dtkd module install DIR" does.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** True if a statement fits an archive with this manifest. A copy has a version of its instance instead of the module's. */
function isOfStatement(manifest: { module: string; version: string }, { name, version }: Pick<CodeRef, 'name' | 'version'>): boolean {
  return manifest.module === bareCode(name) && (instanceOfCode(name) !== undefined || manifest.version === version);
}

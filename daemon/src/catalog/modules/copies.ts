/**
 * Publishes the module copies of service instances as code of this node: under names of their own and in versions that only grow, so that
 * targets can follow them forward, and pins never confuse two instances. Owns the rows `n/m/DIGEST/PUBLISHER/VERSION/NAME` of this node's
 * own key; archives belong to the library. Does not know what an instance needs: its callers say so.
 */
import { MAX_MODULE_BYTES } from '../../../../protocol/definitions/module.ts';
import { instanceOfCode, scopedCode } from '../../../../protocol/definitions/scoped-names.ts';
import { compareVersions } from '../../../../protocol/definitions/version-order.ts';
import { encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import { unpackArchive } from '../../../../protocol/modules/archive.ts';
import { soundModule } from '../../../../protocol/modules/check.ts';
import { type Kv, prefixEnd } from '../../store/kv.ts';
import { chunksOf, encodeSigned, type Library, sha256 } from './library.ts';
import { INSTALLED_MS } from './limits.ts';
import type { CopyToPublish, ModuleContent } from './ports.ts';
import { type CopyCode, copyRow, parseCopyRow, STATEMENTS } from './statements.ts';

export interface CopiesOptions {
  kv: Kv;
  content: ModuleContent;
  signingKey: SigningKey;
  library: Library;
  /** True if a module installed here has this archive. */
  isInstalled(digest: string): Promise<boolean>;
}

export class Copies {
  readonly #options: CopiesOptions;
  /** The work in progress: only one copy is published at a time, since its version depends on those already there. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: CopiesOptions) {
    this.#options = options;
  }

  /** Errors: INVALID for an archive that is unsound or of another module; DISK_FULL. */
  publish(copy: CopyToPublish): Promise<CopyCode> {
    return this.#alone(() => this.#publish(copy));
  }

  /** Signs an archive that is already published under a further name, for what is left of it. */
  publishLeft(code: CopyCode): Promise<void> {
    return this.#alone(() => this.#sign(code));
  }

  /** Releases what an instance has published, except for the digests in `keep`. */
  release(instance: string, keep: Iterable<string>): Promise<void> {
    return this.#alone(() => this.#release(instance, new Set(keep)));
  }

  /** Digests of all published copies. */
  async digests(): Promise<Set<string>> {
    return new Set((await this.#own()).map(({ digest }) => digest));
  }

  async #publish({ instance, revision, archive, module, dryRun = false }: CopyToPublish): Promise<CopyCode> {
    const { content, signingKey, library } = this.#options;
    const name = scopedCode(module, instance);
    const digest = await sha256(archive);
    const newest = (await this.#own()).filter((one) => one.name === name).sort((a, b) => compareVersions(b.version, a.version))[0];
    if (newest?.digest === digest && (await content.path(digest)) !== undefined) {
      if (!dryRun) await library.allow(digest, INSTALLED_MS);
      return newest;
    }
    const manifest = await soundModule(unpackArchive(archive));
    if (manifest.module !== module) {
      throw new DtkdError('INVALID', `the copy of module ${module} says that it is ${manifest.module}`, {
        next: 'A copy keeps the name of its module: change it back in its dtk.module.yaml.',
      });
    }
    const version = `0.0.${Math.max(revision, newest === undefined ? 0 : revisionOf(newest) + 1)}`;
    const code: CopyCode = { name, version, digest, publisher: signingKey.publicKey };
    if (dryRun) return code;
    if ((await content.path(digest)) === undefined) await content.take(chunksOf(archive), { limit: MAX_MODULE_BYTES });
    await this.#sign(code);
    return code;
  }

  async #sign({ name, version, digest, publisher }: CopyCode): Promise<void> {
    const { kv, signingKey, library } = this.#options;
    const code: CopyCode = { name, version, digest, publisher };
    await library.allow(digest, INSTALLED_MS);
    const statement = encodeCbor(code);
    const signed = { statement, signature: signingKey.sign('module', statement) };
    await kv.batch([{ type: 'put', key: copyRow(code), value: encodeSigned(signed) }], { sync: true });
    library.forget(digest);
  }

  async #release(instance: string, keep: ReadonlySet<string>): Promise<void> {
    const { kv, library, isInstalled } = this.#options;
    const own = await this.#own();
    const gone = own.filter((one) => instanceOfCode(one.name) === instance && !keep.has(one.digest));
    if (gone.length === 0) return;
    await kv.batch(
      gone.map((code) => ({ type: 'del', key: copyRow(code) })),
      { sync: false },
    );
    const needed = new Set(own.filter((one) => !gone.includes(one)).map(({ digest }) => digest));
    for (const digest of new Set(gone.map((one) => one.digest))) {
      library.forget(digest);
      if (needed.has(digest) || (await isInstalled(digest))) continue;
      await library.release(digest);
    }
  }

  async #own(): Promise<CopyCode[]> {
    const { kv, signingKey } = this.#options;
    const found: CopyCode[] = [];
    for (let gte = STATEMENTS; ; ) {
      const page = await kv.page({ gte, lt: prefixEnd(STATEMENTS), keysOnly: true });
      for (const [key] of page) {
        const code = parseCopyRow(key);
        if (code?.publisher === signingKey.publicKey) found.push(code);
      }
      const last = page.at(-1)?.[0];
      if (last === undefined) return found;
      gte = `${last}\0`;
    }
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

function revisionOf({ version }: CopyCode): number {
  return Number(version.slice(version.lastIndexOf('.') + 1));
}

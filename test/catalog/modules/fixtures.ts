import { statSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decideMove } from '../../../daemon/src/access/moves.ts';
import type { Decide, DecideMove } from '../../../daemon/src/catalog/model/ports.ts';
import { createModules, type Modules } from '../../../daemon/src/catalog/modules/modules.ts';
import type { KnownNode, ModuleContent, PieceFetcher, PiecesToFetch } from '../../../daemon/src/catalog/modules/ports.ts';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { generateSigningKey, type SigningKey } from '../../../protocol/keys/signing.ts';
import { digestOf, type ModuleFile, packArchive } from '../../../protocol/modules/archive.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import { silentLogger } from '../../silent-logger.ts';
import { NODE, OPERATOR, ruledStore } from '../model/fixtures.ts';

export const OPS: Principal = { type: 'user', home: 'self', name: 'ops', uid: 'u1', display: 'ops@node0' };

/** Files of a module; `types` is YAML, or JSON, which is YAML. */
export function files(types: object, { name = 'acme/web', version = '1.0.0', more = [] as ModuleFile[] } = {}): ModuleFile[] {
  const manifest = { dsl_version: '1.0', module: name, version, types };
  return [{ path: 'dtk.module.yaml', executable: false, data: Buffer.from(JSON.stringify(manifest)) }, ...more];
}

export function script(path: string, text = '#!/bin/sh\ntrue\n'): ModuleFile {
  return { path, executable: true, data: Buffer.from(text) };
}

/** Content by digest in a directory: as modules see it. */
export class FakeContent implements ModuleContent, PieceFetcher {
  readonly allowed = new Map<string, number>();
  /** What members have, by digest. */
  readonly elsewhere = new Map<string, Uint8Array>();
  /** What is refused after a member was named for it, by digest. */
  readonly refusals = new Map<string, DtkdError>();
  /** What was fetched, in order. */
  readonly fetched: PiecesToFetch[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  pathOf(digest: string): string {
    return join(this.#directory, digest);
  }

  async path(digest: string): Promise<string | undefined> {
    const path = this.pathOf(digest);
    return await readFile(path).then(
      () => path,
      () => undefined,
    );
  }

  size(digest: string): number | undefined {
    return statSync(this.pathOf(digest), { throwIfNoEntry: false })?.size;
  }

  async take(source: AsyncIterable<Uint8Array>): Promise<{ digest: string; size: number }> {
    const parts: Uint8Array[] = [];
    for await (const part of source) parts.push(part);
    const bytes = Buffer.concat(parts);
    await writeFile(this.pathOf(digestOf(bytes)), bytes);
    return { digest: digestOf(bytes), size: bytes.length };
  }

  async fetchPieces(wanted: PiecesToFetch): Promise<string> {
    this.fetched.push(wanted);
    const bytes = this.elsewhere.get(wanted.digest);
    const refusal = this.refusals.get(wanted.digest);
    if (refusal !== undefined) {
      wanted.onAltered?.({ node: 'honest', domain: 'd', key: 'k' });
      throw refusal;
    }
    if (bytes === undefined) throw new DtkdError('CONTENT_MISSING', 'nobody has it');
    wanted.onProgress?.({ done: wanted.size, size: wanted.size, members: ['node1'] });
    await writeFile(this.pathOf(wanted.digest), bytes);
    return this.pathOf(wanted.digest);
  }

  async allow(digest: string, _readers: 'members', until: number): Promise<void> {
    if ((await this.path(digest)) === undefined) throw new DtkdError('CONTENT_MISSING', 'it is not here');
    this.allowed.set(digest, until);
  }
}

export interface Bench {
  store: LocalStore;
  modules: Modules;
  content: FakeContent;
  key: SigningKey;
  directory: string;
  warnings: string[];
  /** Messages of Events. */
  events: string[];
  /** Nodes besides this one. */
  others: KnownNode[];
  clock: { now: number };
  /** Packs, sends and installs. */
  install(
    all: ModuleFile[],
    options?: { replace?: boolean; dryRun?: boolean; types?: boolean; principal?: Principal },
  ): Promise<Record<string, unknown>>;
  /** The part as a new daemon has it. */
  restarted(): Modules;
  close(): Promise<void>;
}

export async function bench(decide: Decide = () => ({ allowed: true })): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'dtkd-modules-'));
  const [directory, contentDirectory] = [join(root, 'modules'), join(root, 'content')];
  await mkdir(contentDirectory);
  const store = await ruledStore();
  const content = new FakeContent(contentDirectory);
  const key = generateSigningKey();
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_fields: object, message: string) => void warnings.push(message) };
  const move: DecideMove = (principal, about, before, after) => decideMove({ decide }, principal, about, before, after);
  const clock = { now: 1_000_000 };
  const events: string[] = [];
  const others: KnownNode[] = [];
  const self: KnownNode = { node: NODE, self: true, signingKey: key.publicKey, member: undefined };
  const make = () =>
    createModules({
      store,
      node: { name: NODE },
      directory,
      signingKey: key,
      content,
      nodes: { list: async () => [self, ...others] },
      events: { record: ({ message }) => void events.push(message) },
      decide,
      decideMove: move,
      logger,
      now: () => clock.now,
    });
  const modules = make();
  await modules.start();
  return {
    store,
    modules,
    content,
    key,
    directory,
    warnings,
    events,
    others,
    clock,
    async install(all, { principal = OPERATOR, ...options } = {}) {
      const { digest } = await content.take(chunks(packArchive(all)));
      const action = modules.actions.get('modules');
      return Object(await action?.({ principal, name: 'modules', method: 'POST', body: { digest, ...options } }));
    },
    restarted: make,
    async close() {
      modules.stop();
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

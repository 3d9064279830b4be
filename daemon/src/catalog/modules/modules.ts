/**
 * The modules of this node as one part: installing, fetching, publishing, removing and resolving them; and the library of archives and
 * unpacked directories from which commands run. Owns the Module, Assembly and Release objects, the Types that come from modules, the rows
 * `n/m/…` and its directory. Guarantees that it provides only what was signed. Does not decide whose code may run, and runs none.
 */
import type { SignedModule } from '../../../../protocol/definitions/module.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import type { Decide, DecideMove, ModelHandler } from '../model/ports.ts';
import { Rights } from '../model/rights.ts';
import { type ModuleAction, moduleActions } from './actions.ts';
import { Copies } from './copies.ts';
import { ModuleDirectories } from './directories.ts';
import { type InstallingOptions, installArchive } from './installing.ts';
import { Library } from './library.ts';
import { INSTALLED_MS, TIDY_MS } from './limits.ts';
import type {
  CopyPublishing,
  KnownNodes,
  ModuleContent,
  ModuleEvents,
  ModuleLibrary,
  ModuleResolving,
  ModuleVersions,
  PieceFetcher,
} from './ports.ts';
import { unpublishModule } from './publishing.ts';
import { Releases } from './releases.ts';
import { removeModule } from './removing.ts';
import { ModuleResolver } from './resolving.ts';
import { moduleFieldsOf, moduleRef } from './types.ts';
import { versionsHere } from './versions.ts';

export interface ModulesOptions {
  store: ObjectStore;
  node: { name: string };
  /** The directory of unpacked modules: DATA/modules. Created if it does not exist. */
  directory: string;
  signingKey: SigningKey;
  content: ModuleContent & PieceFetcher;
  /** The nodes whose releases count. */
  nodes: KnownNodes;
  events: ModuleEvents;
  decide: Decide;
  decideMove: DecideMove;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

export interface Modules extends ModuleLibrary, ModuleResolving, ModuleVersions, CopyPublishing {
  /** By `group/plural`. */
  handlers: ReadonlyMap<string, ModelHandler>;
  /** Daemon-wide, by name. */
  actions: ReadonlyMap<string, ModuleAction>;
  /** Tidies the disk and keeps what is installed or published available to members: at once, and then periodically. */
  start(): Promise<void>;
  stop(): void;
}

/** Creates the part. The content store must be open. */
export function createModules(options: ModulesOptions): Modules {
  const { store, node, directory, signingKey, content, nodes, events, decide, decideMove, logger, now = () => Date.now() } = options;
  const library = new Library({ kv: store.kv, content, publisher: signingKey.publicKey, logger, now });
  const directories = new ModuleDirectories({ directory, load: (digest) => library.get(digest) });
  const isInstalled = async (digest: string) => (await installedModules(store, node.name)).some((one) => one.digest === digest);
  const copies = new Copies({ kv: store.kv, content, signingKey, library, isInstalled });
  const rights = new Rights({ decide, decideMove, node: node.name });
  const installing: InstallingOptions = { store, node: node.name, signingKey, library, rights, decide };
  const releases = new Releases({ store, nodes });
  const fetching = { ...installing, content, events, logger, releases };
  const resolver = new ModuleResolver(fetching);
  let timer: NodeJS.Timeout | undefined;
  async function tidy(): Promise<void> {
    for (const { digest, module } of await installedModules(store, node.name)) {
      await library.allow(digest, INSTALLED_MS).catch((err: unknown) => {
        logger.warn({ err, module, digest }, 'The archive of an installed module is not here: install it again');
      });
    }
    for (const digest of await copies.digests()) {
      await library.allow(digest, INSTALLED_MS).catch((err: unknown) => {
        logger.warn({ err, digest }, 'The archive of a service instance\u2019s module copy is not here: converge the service again');
      });
    }
    await directories.tidy((digest) => content.size(digest) !== undefined);
    await library.tidy();
  }
  return {
    get: (digest) => library.get(digest),
    keep: (signed, archive) => library.keep(signed, archive),
    directory: (digest) => directories.directory(digest),
    resolve: (root, lock, as) => resolver.resolve(root, lock, as),
    versions: async (module) =>
      (await versionsHere(store, node.name, module)).map(({ fields: { version, digest } }) => ({ version, digest })),
    install: (principal, archive) => installArchive({ ...installing, content }, principal, archive),
    publishCopy: (copy) => copies.publish(copy),
    publishLeft: (code) => copies.publishLeft(code),
    releaseCopies: (instance, keep) => copies.release(instance, keep),
    handlers: new Map([
      [`${DTKD_GROUP}/modules`, { delete: async (object, context) => ({ handled: await removeModule(installing, object, context) }) }],
      [`${DTKD_GROUP}/releases`, { delete: async (object, context) => ({ handled: await unpublishModule(installing, object, context) }) }],
    ]),
    actions: moduleActions({ ...fetching, resolver }),
    async start() {
      await tidy();
      const again = () => void tidy().catch((err: unknown) => logger.warn({ err }, 'Unused modules could not be removed'));
      timer = setInterval(again, TIDY_MS).unref();
    },
    stop: () => clearInterval(timer),
  };
}

/** The signatures of this node's installed modules, by `NAME DIGEST`. */
export async function signedModules(store: ObjectStore, node: string): Promise<Map<string, SignedModule>> {
  const found = new Map<string, SignedModule>();
  for (const fields of await installedModules(store, node)) {
    found.set(`${fields.module} ${fields.digest}`, {
      statement: Uint8Array.from(Buffer.from(fields.statement, 'base64')),
      signature: Uint8Array.from(Buffer.from(fields.signature, 'base64')),
    });
  }
  return found;
}

async function installedModules(store: ObjectStore, node: string) {
  const { group, plural, namespace } = moduleRef(node, '');
  const { items } = await store.list({ group, plural, namespace });
  return items.flatMap((object) => moduleFieldsOf(object) ?? []);
}

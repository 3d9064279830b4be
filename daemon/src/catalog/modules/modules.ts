/**
 * Modules of this node as one part: the action that installs them, their deletion, and the library of archives and unpacked directories that
 * commands run from. Owns the Module objects, the Types that come from them, rows `n/m/…` and the directory that it is given. Guarantees that
 * what it hands out is what was signed. Does not decide whose code may run, and runs none.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import type { SignedModule } from '../../../../protocol/module.ts';
import type { SigningKey } from '../../../../protocol/signing.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import type { Decide, DecideMove, ModelAction, ModelHandler } from '../model/ports.ts';
import { Rights } from '../model/rights.ts';
import { Copies } from './copies.ts';
import { ModuleDirectories } from './directories.ts';
import { type InstallingOptions, installModule, readInstallRequest } from './installing.ts';
import { Library } from './library.ts';
import { INSTALLED_MS } from './limits.ts';
import type { CopyPublishing, ModuleContent, ModuleLibrary, ModulesLogger } from './ports.ts';
import { removeModule } from './removing.ts';
import { moduleFieldsOf, moduleRef } from './types.ts';

export interface ModulesOptions {
  store: ObjectStore;
  node: { name: string };
  /** Where unpacked modules are: DATA/modules. Made if it is not there. */
  directory: string;
  signingKey: SigningKey;
  content: ModuleContent;
  decide: Decide;
  decideMove: DecideMove;
  logger: ModulesLogger;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

export interface Modules extends ModuleLibrary, CopyPublishing {
  /** By `group/plural`. */
  handlers: ReadonlyMap<string, ModelHandler>;
  /** Daemon-wide, by name. */
  actions: ReadonlyMap<string, ModelAction>;
  /** Tidies the disk, and lets members go on fetching what is installed or published. */
  start(): Promise<void>;
}

/** Creates the part; the content store has to be open. */
export function createModules(options: ModulesOptions): Modules {
  const { store, node, directory, signingKey, content, decide, decideMove, logger, now = () => Date.now() } = options;
  const library = new Library({ kv: store.kv, content, publisher: signingKey.publicKey, logger, now });
  const directories = new ModuleDirectories({ directory, load: (digest) => library.get(digest) });
  const isInstalled = async (digest: string) => (await installedModules(store, node.name)).some((one) => one.digest === digest);
  const copies = new Copies({ kv: store.kv, content, signingKey, library, isInstalled });
  const rights = new Rights({ decide, decideMove, node: node.name });
  const installing: InstallingOptions = { store, node: node.name, signingKey, library, rights, decide };
  return {
    get: (digest) => library.get(digest),
    keep: (signed, archive) => library.keep(signed, archive),
    directory: (digest) => directories.directory(digest),
    publishCopy: (copy) => copies.publish(copy),
    releaseCopies: (instance, keep) => copies.release(instance, keep),
    handlers: new Map([
      [`${DTKD_GROUP}/modules`, { delete: async (object, context) => ({ handled: await removeModule(installing, object, context) }) }],
    ]),
    actions: new Map([['modules', installAction(installing)]]),
    async start() {
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
      await directories.tidy(async (digest) => (await content.path(digest)) !== undefined);
      await library.tidy();
    },
  };
}

function installAction(installing: InstallingOptions): ModelAction {
  const action: ModelAction = async ({ method, body, principal }) => {
    if (method !== 'POST') throw new DtkdError('METHOD_NOT_ALLOWED', 'use POST to install a module', { next: 'List modules as objects.' });
    const { module, changes } = await installModule(installing, principal, readInstallRequest(body));
    return { ...module, changes };
  };
  action.open = 'user';
  return action;
}

/** The signatures of installed modules of this node, by name and digest. */
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

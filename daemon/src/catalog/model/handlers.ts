/**
 * What writes of models, types and resources do beyond storing: spelling of types, checks of computed properties and parents, cascading
 * deletion.
 */
import { jsonEqual } from '../../../../protocol/encoding/json.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { ObjectStore, Transaction } from '../../store/object-store.types.ts';
import { deleteWithDependents } from './cascade.ts';
import { assertNotComputed } from './computed.ts';
import { type Plural, type Reads, refIn } from './objects.ts';
import type { HandlerContext, ModelHandler } from './ports.ts';
import { withoutUnseen } from './refusal.ts';
import type { Rights } from './rights.ts';
import { withSpelling } from './spelling.ts';
import type { TypeBook } from './type-book.ts';

export interface HandlerOptions {
  store: ObjectStore;
  node: string;
  rights: Rights;
  /** Reads the durable state. */
  reads: Reads;
  /** Types in the durable state. */
  book: TypeBook;
}

/** Handlers by plural. */
export function modelHandlers(options: HandlerOptions): Record<Plural, ModelHandler> {
  const typeOf = (name: string) => options.book.resolve(options.reads, name);
  return {
    models: { delete: deletion('models', options) },
    types: {
      create: (object) => spelled('types', object, undefined, options),
      update: async (object, previous, context) => {
        const written = await spelled('types', object, previous, options);
        await tryFirst(options, context, (tx) => tx.put(written));
        return written;
      },
      delete: deletion('types', options),
    },
    resources: {
      create: async (object, { principal }) => {
        await options.rights.assertParents(principal, { after: object }, options.reads);
        const written = await spelled('resources', object, undefined, options);
        await assertNotComputed(typeOf, undefined, written);
        return written;
      },
      update: async (object, previous, { principal }) => {
        await options.rights.assertParents(principal, { before: previous, after: object }, options.reads);
        const written = await spelled('resources', object, previous, options);
        await assertNotComputed(typeOf, previous, written);
        return written;
      },
      delete: deletion('resources', options),
    },
  };
}

/** Returns the object with the type as its Type spells it. If only the spelling was changed, keeps the generation. */
async function spelled(
  plural: Plural,
  object: ApiObject,
  previous: ApiObject | undefined,
  { reads, book }: HandlerOptions,
): Promise<ApiObject> {
  const written = await withSpelling(plural, object, async (name) => (await book.resolve(reads, name))?.name);
  if (previous === undefined || written === object || !jsonEqual(written['spec'], previous['spec'])) return written;
  return { ...written, metadata: { ...written.metadata, generation: previous.metadata.generation } };
}

/**
 * The rules' refusals name all dependents, which the operator may see. For a user, the change is tried first, so that a refusal names only
 * dependents that this user may discover.
 */
async function tryFirst(
  { store, reads, rights }: HandlerOptions,
  { principal }: HandlerContext,
  write: (tx: Transaction) => Promise<unknown>,
): Promise<void> {
  if (principal.type === 'operator') return;
  try {
    await store.transact(write, { dryRun: true });
  } catch (error) {
    throw await withoutUnseen(error, rights.sees(principal, reads));
  }
}

function deletion(plural: Plural, options: HandlerOptions): NonNullable<ModelHandler['delete']> {
  const { store, node, rights } = options;
  return async (object: ApiObject, context: HandlerContext) => {
    // without cascade, the rules refuse the deletion itself if there are dependents
    if (!context.cascade) {
      await tryFirst(options, context, (tx) => tx.delete(refIn(node, plural, object.metadata.name)));
      return undefined;
    }
    const { object: last, deleted, detached } = await deleteWithDependents({ store, node, rights }, plural, object, context);
    if (deleted > 0)
      context.warn(`${deleted} ${deleted === 1 ? 'object that depends on it goes' : 'objects that depend on it go'} with it`);
    if (detached > 0)
      context.warn(
        `${detached} ${detached === 1 ? 'resource with other parents stays' : 'resources with other parents stay'}, detached from it`,
      );
    return { handled: last };
  };
}

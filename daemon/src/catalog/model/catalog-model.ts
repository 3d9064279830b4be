/**
 * The model of this node as one part: the participant that keeps models, types and resources consistent, the handlers and subresources of
 * their kinds, the import, and the built-in types. Owns no data except what it writes beside the objects. Does not know other nodes'
 * models: each owner keeps its own.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { ObjectStore, Participant } from '../../store/object-store.types.ts';
import { keepBuiltinTypes } from './builtin-types.ts';
import { effectiveResource } from './effective/effective-resource.ts';
import { effectiveType } from './effective/effective-type.ts';
import { modelHandlers } from './handlers.ts';
import { importAction } from './import/import-action.ts';
import { PLURALS, pluralOf, type Reads } from './objects.ts';
import type { Decide, DecideMove, Documents, ModelAction, ModelHandler } from './ports.ts';
import { Rights } from './rights.ts';
import { createModelRules } from './rules/model-rules.ts';
import { TypeBook } from './type-book.ts';

export interface CatalogModelOptions {
  store: ObjectStore;
  node: { name: string };
  logger: Logger;
  documents: Documents;
  /** Decides about each object that an import or a cascading deletion writes. */
  decide: Decide;
  decideMove: DecideMove;
}

export interface CatalogModel {
  /** Add it to the store before the first transaction. */
  participant: Participant;
  /** By `group/plural`. */
  handlers: ReadonlyMap<string, ModelHandler>;
  /** By `group/plural/subresource`. */
  subresources: ReadonlyMap<string, ModelAction>;
  /** Daemon-wide, by name. */
  actions: ReadonlyMap<string, ModelAction>;
  /** Creates and updates the built-in types. */
  start(): Promise<void>;
  stop(): void;
}

/** Creates the model of a node's store. */
export function createCatalogModel({ store, node: { name: node }, logger, documents, ...deciding }: CatalogModelOptions): CatalogModel {
  const reads: Reads = { get: (ref) => store.get(ref), find: (index) => store.find(index), getRow: (key) => store.kv.get(key) };
  const book = new TypeBook(node);
  const rights = new Rights({ ...deciding, node });
  const handlers = modelHandlers({ store, node, rights, reads, book });
  const options = { reads, book, node, rights };
  const unsubscribe = store.subscribe((changes) => {
    if (changes.some(({ ref }) => ref.namespace === node && pluralOf(ref) === 'types')) book.clear();
  });
  return {
    participant: createModelRules(node),
    handlers: new Map(PLURALS.map((plural) => [`${DTKD_GROUP}/${plural}`, handlers[plural]])),
    subresources: new Map([
      [`${DTKD_GROUP}/resources/effective`, readable(({ principal, name }) => effectiveResource(options, principal, name))],
      [`${DTKD_GROUP}/types/effective`, readable(({ name }) => effectiveType(options, name))],
    ]),
    actions: new Map([['import', importAction({ store, node, rights, documents, reads, book })]]),
    start: () => keepBuiltinTypes(store, node, logger),
    stop: unsubscribe,
  };
}

/** A read-only subresource, for everybody who may READ the object. */
function readable(read: (request: Parameters<ModelAction>[0]) => Promise<unknown>): ModelAction {
  const action: ModelAction = async (request) => {
    if (request.method !== 'GET') throw new DtkdError('METHOD_NOT_ALLOWED', 'this can only be read; use GET');
    return read(request);
  };
  action.verb = 'READ';
  return action;
}

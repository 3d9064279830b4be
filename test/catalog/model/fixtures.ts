import { decideMove } from '../../../daemon/src/access/moves.ts';
import { changedObject, newObject, parseDocument } from '../../../daemon/src/api/writing/document.ts';
import { type CatalogModel, createCatalogModel } from '../../../daemon/src/catalog/model/catalog-model.ts';
import type { Decide, DecideMove, Documents } from '../../../daemon/src/catalog/model/ports.ts';
import { createModelRules } from '../../../daemon/src/catalog/model/rules/model-rules.ts';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';

export const NODE = 'node0';

export function object(kind: string, name: string, spec?: object): ApiObject {
  return {
    apiVersion: 'dtkd.dev/v1',
    kind,
    metadata: {
      name,
      ...(kind === 'Node' ? {} : { namespace: NODE }),
      uid: '',
      resourceVersion: '',
      generation: 1,
      creationTimestamp: '',
    },
    ...(spec === undefined ? {} : { spec }),
  };
}

export const model = (name: string) => object('Model', name, {});
export const type = (name: string, spec: object = {}) => object('Type', name.toLowerCase(), { name, ...spec });
export const resource = (name: string, spec: object) => object('Resource', name, { model: 'web', ...spec });

const PLURALS: Record<string, string> = { Model: 'models', Type: 'types', Resource: 'resources', Node: 'nodes' };

export function ref(kind: string, name: string): ObjectRef {
  return { group: 'dtkd.dev', plural: PLURALS[kind] ?? kind, namespace: kind === 'Node' ? '' : NODE, name };
}

export async function ruledStore(): Promise<LocalStore> {
  const store = await openObjectStore({ kv: memoryKv(), node: NODE });
  store.addParticipant(createModelRules(NODE));
  return store;
}

/** Writes objects in one transaction. */
export function write(store: LocalStore, ...objects: ApiObject[]): Promise<void> {
  return store.transact(async (tx) => {
    for (const one of objects) await tx.put(one);
  });
}

export function remove(store: LocalStore, ...refs: ObjectRef[]): Promise<void> {
  return store.transact(async (tx) => {
    for (const one of refs) await tx.delete(one);
  });
}

/** What a refused write says. */
export async function refusal(work: Promise<unknown>): Promise<DtkdError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof DtkdError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

/** `FIELD: MESSAGE` of each cause. */
export function causes(error: DtkdError): string[] {
  const list: { field: string; message: string }[] = Object(error.details)['causes'] ?? [];
  return list.map(({ field, message }) => `${field}: ${message}`);
}

export const OPERATOR: Principal = { type: 'operator', name: 'operator' };

/** The whole part over a store, with rights that a test says. */
export async function catalog(
  decide: Decide = () => ({ allowed: true }),
): Promise<{ store: LocalStore; catalog: CatalogModel; warnings: string[] }> {
  const store = await openObjectStore({ kv: memoryKv(), node: NODE });
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_fields: object, message: string) => void warnings.push(message) };
  const move: DecideMove = (principal, about, before, after) => decideMove({ decide }, principal, about, before, after);
  const documents: Documents = { parse: parseDocument, created: newObject, changed: changedObject };
  const made = createCatalogModel({ store, node: { name: NODE }, logger, documents, decide, decideMove: move });
  store.addParticipant(made.participant);
  await made.start();
  return { store, catalog: made, warnings };
}

/** Asks for a daemon action or, with a name, a subresource. */
export function act(of: CatalogModel, action: string, body: unknown, principal: Principal = OPERATOR): Promise<unknown> {
  const found = of.actions.get(action);
  if (found === undefined) throw new Error(`no action ${action}`);
  return found({ principal, name: action, method: 'POST', body });
}

export function effective(of: CatalogModel, plural: string, name: string, principal: Principal = OPERATOR): Promise<unknown> {
  const found = of.subresources.get(`dtkd.dev/${plural}/effective`);
  if (found === undefined) throw new Error(`no effective of ${plural}`);
  return found({ principal, name, method: 'GET', body: undefined });
}

/** As a user sends it. */
export function document(kind: string, name: string, spec?: object, metadata: object = {}): object {
  return { apiVersion: 'dtkd.dev/v1', kind, metadata: { name, ...metadata }, ...(spec === undefined ? {} : { spec }) };
}

import { createModelRules } from '../../../daemon/src/catalog/model/rules/model-rules.ts';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { memoryKv } from '../../../daemon/src/store/memory-kv.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects.ts';

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

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kv, KvOp } from '../../daemon/src/store/kv.ts';
import { openLevel } from '../../daemon/src/store/level-kv.ts';
import type { ApiObject, ObjectRef } from '../../protocol/objects/objects.ts';
import { memoryKv } from './memory-kv.ts';

export const NODE = 'node0';

/** A Service as a caller hands it to the store: the server's fields still empty. */
export function service(
  name: string,
  { namespace = NODE, labels, port = 80 }: { namespace?: string; labels?: Record<string, string>; port?: number } = {},
): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace,
      uid: '',
      resourceVersion: '',
      generation: 1,
      creationTimestamp: '',
      ...(labels === undefined ? {} : { labels }),
    },
    spec: { ports: [{ protocol: 'TCP', port }] },
  };
}

export function serviceRef(name: string, namespace = NODE): ObjectRef {
  return { group: '', plural: 'services', namespace, name };
}

export const SERVICES = { group: '', plural: 'services' } as const;

/** Both implementations of the key-value port, each with what removes it. */
export const KV_IMPLEMENTATIONS = [
  { name: 'memory', open: async () => ({ kv: memoryKv(), clean: async () => {} }) },
  {
    name: 'LevelDB',
    open: async () => {
      const directory = await mkdtemp(join(tmpdir(), 'dtkd-store-'));
      return { kv: await openLevel(directory), clean: () => rm(directory, { recursive: true, force: true }) };
    },
  },
];

/** Passes all on to another port, but lets a test count batches, hold them back, and make them fail. */
export function controlledKv(below: Kv) {
  const batches: (readonly KvOp[])[] = [];
  let failure: unknown;
  let gate: Promise<void> | undefined;
  const kv: Kv = {
    get: (key) => below.get(key),
    page: (range) => below.page(range),
    snapshot: () => below.snapshot(),
    close: () => below.close(),
    async batch(ops, options) {
      await gate;
      if (failure !== undefined) throw failure;
      batches.push(ops);
      await below.batch(ops, options);
    },
  };
  return {
    kv,
    batches,
    fail(error: unknown) {
      failure = error;
    },
    /** Holds batches until the returned function is called. */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return resolve;
    },
  };
}

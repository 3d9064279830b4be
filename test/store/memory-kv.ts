/**
 * The key-value port in memory: for tests and benchmarks, and the model against which the LevelDB one is checked. Keeps a map and its sorted keys; a
 * snapshot shares both until the next batch, which then works on a copy.
 */

import { DEFAULT_PAGE, type Kv, type KvOp, type KvRange, type KvSnapshot } from '../../daemon/src/store/kv.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { compareText } from '../../protocol/text/text-order.ts';

interface State {
  values: Map<string, Uint8Array>;
  keys: string[];
}

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const candidate = keys[middle];
    if (candidate !== undefined && compareText(candidate, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function page(state: State, { gte, lt, limit = DEFAULT_PAGE, reverse = false }: KvRange): [string, Uint8Array][] {
  const keys = state.keys.slice(lowerBound(state.keys, gte), Math.max(lowerBound(state.keys, gte), lowerBound(state.keys, lt)));
  if (reverse) keys.reverse();
  return keys.slice(0, limit).flatMap((key) => {
    const value = state.values.get(key);
    return value === undefined ? [] : [[key, value] satisfies [string, Uint8Array]];
  });
}

function apply(state: State, op: KvOp): void {
  if (op.type === 'clear') {
    const from = lowerBound(state.keys, op.gte);
    for (const key of state.keys.splice(from, Math.max(0, lowerBound(state.keys, op.lt) - from))) state.values.delete(key);
    return;
  }
  const index = lowerBound(state.keys, op.key);
  const known = state.keys[index] === op.key;
  if (op.type === 'put') {
    if (!known) state.keys.splice(index, 0, op.key);
    state.values.set(op.key, op.value);
  } else if (known) {
    state.keys.splice(index, 1);
    state.values.delete(op.key);
  }
}

/** Opens an empty store in memory. */
export function memoryKv(): Kv {
  let state: State = { values: new Map(), keys: [] };
  let shared = false;
  let closed = false;
  const open = (): State => {
    if (closed) throw new DtkdError('UNAVAILABLE', 'the store is closed');
    return state;
  };
  return {
    async get(key) {
      return open().values.get(key);
    },
    async page(range) {
      return page(open(), range);
    },
    async batch(ops) {
      open();
      if (shared) state = { values: new Map(state.values), keys: [...state.keys] };
      shared = false;
      for (const op of ops) if (op.type === 'clear') apply(state, op);
      for (const op of ops) if (op.type !== 'clear') apply(state, op);
    },
    snapshot(): KvSnapshot {
      const seen = open();
      shared = true;
      return {
        page: async (range) => page(seen, range),
        getMany: async (keys) => keys.map((key) => seen.values.get(key)),
        close: async () => {},
      };
    },
    async close() {
      closed = true;
    },
  };
}

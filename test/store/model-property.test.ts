import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import type { Change, WatchEvent } from '../../daemon/src/store/object-store.types.ts';
import { DtkdError } from '../../protocol/errors.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { controlledKv, KV_IMPLEMENTATIONS, NODE, SERVICES, service, serviceRef } from './fixtures.ts';

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const act = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant('put' as const), name, port: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('delete' as const), name }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('increment' as const), name }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('throw' as const) }) },
);
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;
const transaction = fc.array(act, { minLength: 1, maxLength: 4 });
/** Transactions that are started together, and whether the disk fails meanwhile. */
const round = fc.record({ transactions: fc.array(transaction, { minLength: 1, maxLength: 8 }), diskFull: fc.boolean() });

function portOf(object: ApiObject | undefined): number {
  const spec: { ports?: { port: number }[] } = Object(object?.['spec']);
  return spec.ports?.[0]?.port ?? 0;
}

/** The model: what one transaction makes of the ports by name; undefined if it throws. */
function applied(state: ReadonlyMap<string, number>, acts: readonly Act[]): Map<string, number> | undefined {
  const next = new Map(state);
  for (const step of acts) {
    if (step.act === 'throw') return undefined;
    if (step.act === 'put') next.set(step.name, step.port);
    else if (step.act === 'delete') next.delete(step.name);
    else next.set(step.name, (next.get(step.name) ?? 0) + 1);
  }
  return next;
}

/** What somebody knows who has seen these changes, and nothing else. */
function fold(changes: readonly { type: string; object: ApiObject }[]): Map<string, number> {
  const state = new Map<string, number>();
  for (const { type, object } of changes) {
    if (type === 'DELETED') state.delete(object.metadata.name);
    else state.set(object.metadata.name, portOf(object));
  }
  return state;
}

const sorted = (state: ReadonlyMap<string, number>) => [...state].sort(([a], [b]) => (a < b ? -1 : 1));

describe.each(KV_IMPLEMENTATIONS)('the object store over $name', ({ open }) => {
  it('equals the sequential model, whatever runs together, throws or fails', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(round, { maxLength: 6 }), fc.nat({ max: 30 }), async (rounds, back) => {
        const { kv, clean } = await open();
        const control = controlledKv(kv);
        const store = await openObjectStore({ kv: control.kv, node: NODE });
        const base = store.version();
        const seen: Change[] = [];
        store.subscribe((changes) => seen.push(...changes));
        let model = new Map<string, number>();
        for (const { transactions, diskFull } of rounds) {
          control.fail(diskFull ? new DtkdError('DISK_FULL', 'full') : undefined);
          const results = await Promise.allSettled(
            transactions.map((acts) =>
              store.transact(async (tx) => {
                for (const step of acts) {
                  if (step.act === 'throw') throw new DtkdError('FORBIDDEN', 'no');
                  if (step.act === 'put') await tx.put(service(step.name, { port: step.port }));
                  else if (step.act === 'delete') await tx.delete(serviceRef(step.name));
                  else await tx.put(service(step.name, { port: portOf(await tx.get(serviceRef(step.name))) + 1 }));
                }
              }),
            ),
          );
          transactions.forEach((acts, index) => {
            const next = applied(model, acts);
            if (results[index]?.status === 'fulfilled') {
              expect(next).toBeDefined();
              model = next ?? model;
            } else if (!diskFull) {
              expect(next).toBeUndefined();
            }
          });
        }
        control.fail(undefined);

        const list = await store.list(SERVICES);
        expect(list.items.map((item) => [item.metadata.name, portOf(item)])).toEqual(sorted(model));
        expect(list.resourceVersion).toBe(String(store.version()));

        expect(seen.map((change) => change.version)).toEqual(Array.from({ length: seen.length }, (_, index) => base + index + 1));
        expect(sorted(fold(seen))).toEqual(sorted(model));

        // the state at any version, and what a watch from there tells, make the present state
        const from = Math.max(base, store.version() - back);
        const abort = new AbortController();
        const events: WatchEvent[] = [];
        if (from < store.version()) {
          for await (const event of store.watch({ ...SERVICES, resourceVersion: String(from), signal: abort.signal })) {
            events.push(event);
            if (event.version === store.version()) break;
          }
        }
        const told = events.flatMap((event) => (event.type === 'BOOKMARK' ? [] : [event]));
        expect(sorted(fold([...seen.filter((change) => change.version <= from), ...told]))).toEqual(sorted(model));

        await store.close();
        await clean();
      }),
      { numRuns: 30 },
    );
  });
});

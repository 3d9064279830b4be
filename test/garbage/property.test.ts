import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROPAGATION_POLICIES, type PropagationPolicy } from '../../protocol/objects/finalizers.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { MERGE, SERVICES } from '../api/fixtures.ts';
import { waitFor } from '../wait.ts';
import { type GarbageApi, ownerOf, startGarbageApi } from './fixtures.ts';

const RUNS = 15;
const OBJECTS = 7;
const merge = { headers: { 'content-type': MERGE } };

type Step =
  | { do: 'delete'; at: number; policy: PropagationPolicy | undefined }
  | { do: 'unhold'; at: number }
  /** All its references are taken out, or replaced. */
  | { do: 'adopt'; at: number; owners: { at: number; block: boolean }[] };

const place = fc.nat(OBJECTS - 1);
const owners = fc.array(fc.record({ at: place, block: fc.boolean() }), { maxLength: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('delete' as const), at: place, policy: fc.constantFrom(undefined, ...PROPAGATION_POLICIES) }),
  fc.record({ do: fc.constant('unhold' as const), at: place }),
  fc.record({ do: fc.constant('adopt' as const), at: place, owners }),
);
const stories = fc.record({
  made: fc.array(fc.record({ owners, held: fc.boolean() }), { minLength: OBJECTS, maxLength: OBJECTS }),
  steps: fc.array(step, { maxLength: 14 }),
});

/** Follows every change, and notes what went without a reason. */
class Witness {
  readonly live = new Map<string, ApiObject>();
  readonly asked = new Set<string>();
  /** Owners that have waited for their dependents: what was decided then is right, also if they cease to wait before it is done. */
  readonly #left = new Set<string>();
  readonly wrong: string[] = [];

  constructor(g: GarbageApi) {
    g.store.subscribe((changes) => {
      for (const { type, object } of changes) {
        if (object.kind !== 'Service') continue;
        if (object.metadata.finalizers?.includes('foregroundDeletion') === true) this.#left.add(object.metadata.uid);
        if (type !== 'DELETED') this.live.set(object.metadata.uid, object);
        else this.#gone(object);
      }
    });
  }

  #gone({ metadata }: ApiObject): void {
    const refs = metadata.ownerReferences ?? [];
    this.live.delete(metadata.uid);
    if (this.asked.has(metadata.uid)) return;
    // one that was marked because its owners were gone may have been given others since
    if (metadata.deletionTimestamp !== undefined) return;
    const kept = refs.length === 0 || refs.some(({ uid }) => this.#holds(uid));
    if (kept) this.wrong.push(metadata.name);
  }

  #holds(uid: string): boolean {
    return this.live.has(uid) && !this.#left.has(uid);
  }
}

async function tell(story: typeof stories extends fc.Arbitrary<infer T> ? T : never): Promise<void> {
  const g = await startGarbageApi();
  try {
    const witness = new Witness(g);
    const made: ApiObject[] = [];
    // owners come before what they own; circles are made by later steps
    for (const [index, { owners: before, held }] of story.made.entries()) {
      const known = before.flatMap(({ at, block }) => (made[at] === undefined ? [] : [{ of: made[at], block }]));
      made.push(await g.make(`s${index}`, known, held ? { finalizers: ['example.com/hold'] } : {}));
    }
    const patch = (at: number, metadata: object) => g.ask('PATCH', `${SERVICES}/s${at}`, { body: { metadata }, ...merge });
    /** Takes out what is not the collector's, again if that was quicker: of what it has taken out nothing may be put back. */
    const unhold = async (at: number): Promise<void> => {
      for (;;) {
        const finalizers = (await g.service(`s${at}`))?.metadata.finalizers;
        if (finalizers === undefined) return;
        const { status } = await patch(at, { finalizers: finalizers.filter((finalizer) => !finalizer.startsWith('example.com/')) });
        if (status !== 422) return;
      }
    };
    for (const one of story.steps) {
      const uid = made[one.at]?.metadata.uid ?? '';
      if (one.do === 'delete') {
        witness.asked.add(uid);
        await g.ask('DELETE', `${SERVICES}/s${one.at}`, { body: { propagationPolicy: one.policy } });
      } else if (one.do === 'unhold') {
        await unhold(one.at);
      } else {
        const refs = one.owners.flatMap(({ at, block }) => (at === one.at || made[at] === undefined ? [] : [{ of: made[at], block }]));
        const byUid = new Map(refs.map((ref) => [ref.of.metadata.uid, ownerOf(ref)]));
        await patch(one.at, { ownerReferences: [...byUid.values()] });
      }
    }
    for (let index = 0; index < OBJECTS; index++) await unhold(index);
    await waitFor(() => g.garbage.counts().waiting === 0, { what: 'everything to settle' });
    expect(witness.wrong, 'gone, and should be there').toEqual([]);
    for (const { metadata } of witness.live.values()) {
      expect(metadata.deletionTimestamp, `${metadata.name} should be gone`).toBeUndefined();
      const refs = metadata.ownerReferences ?? [];
      const isHeld = refs.length === 0 || refs.every(({ uid }) => witness.live.has(uid));
      expect(isHeld, `${metadata.name} should be gone, or free of owners that are`).toBe(true);
    }
    expect((await g.names()).length).toBe(witness.live.size);
    expect(g.events).toEqual([]);
  } finally {
    await g.close();
  }
}

describe('any order of deletions, finalizers and owners', () => {
  it('ends with nothing that should be gone, and nothing gone that should be there', async () => {
    await fc.assert(fc.asyncProperty(stories, tell), { numRuns: RUNS });
  });
});

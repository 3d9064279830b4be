/**
 * Keeps this node's models consistent, as a participant of the store: judges every write within its transaction, whoever makes it and
 * however, by the state that it leads to. Refuses with INVALID (causes: object, field, what was expected) or CONFLICT (listing dependents).
 * Keeps the rows for names and counts of children in the same batch, so that judging costs as much as the write and not as much as the
 * store. Judges objects of this node only. Does not know who writes: rights are decided before.
 */
import type { Change, Participant, Transaction } from '../../../store/object-store.types.ts';
import { COUNTED } from '../limits.ts';
import { inUse } from '../refusal.ts';
import { TypeBook } from '../type-book.ts';
import { Case } from './case.ts';
import { dependents, resourcesOfModel } from './dependents.ts';
import { assertInstancesEmpty, judgeInstances } from './instance-rules.ts';
import { judgeModuleTypes } from './module-rules.ts';
import { assertNoCycle, assertNoOrphans, judgeResources, keepResourceRows, possiblyOnCycle } from './resource-rules.ts';
import { type Touched, touchedBy } from './touched.ts';
import { judgeTypes, judgeUsers, keepTypeNames } from './type-rules.ts';

/** Creates the participant for a node's store. Add it before the first transaction. */
export function createModelRules(node: string): Participant {
  // holds types as seen by the transaction being judged, or by the next one: transactions are judged one at a time
  const book = new TypeBook(node);
  return {
    async prepare(changes, tx) {
      try {
        await judge(node, book, changes, tx);
      } catch (error) {
        book.clear();
        throw error;
      }
    },
    committed: () => undefined,
    aborted: (changes) => {
      if (touchedBy(changes, node).some(({ plural }) => plural === 'types')) book.clear();
    },
  };
}

async function judge(node: string, book: TypeBook, changes: readonly Change[], tx: Transaction): Promise<void> {
  const touched = touchedBy(changes, node);
  await assertInstancesEmpty({ tx, node }, changes);
  if (touched.length === 0) return;
  const of = (plural: Touched['plural']): Touched[] => touched.filter((change) => change.plural === plural);
  const [models, types, resources] = [of('models'), of('types'), of('resources')];
  const work = new Case(node, tx, book);
  await judgeInstances(work, changes, touched);
  work.refusal.assertNone();
  if (types.length > 0) {
    book.clear();
    judgeModuleTypes(changes, types, work.refusal);
    await keepTypeNames(work, types);
    work.refusal.assertNone();
    await judgeTypes(work, book, types);
    // faults of resources would only repeat these
    work.refusal.assertNone();
  }
  if (resources.length > 0) {
    await keepResourceRows(work, resources);
    await judgeResources(work, resources);
    work.refusal.assertNone();
    await assertNoCycle(work, await possiblyOnCycle(work, resources));
    work.refusal.assertNone();
    await assertNoOrphans(work, resources);
  }
  for (const model of models) await assertEmpty(work, model);
  if (types.length > 0) {
    const isTouched = new Set(resources.map(({ ref }) => ref.name));
    await judgeUsers(work, book, types, (name) => isTouched.has(name));
    work.refusal.assertNone();
  }
  work.keepCounts();
}

async function assertEmpty({ tx, node }: Case, { ref, after }: Touched): Promise<void> {
  if (after !== undefined) return;
  const refs = await resourcesOfModel(tx, node, ref.name, COUNTED + 1);
  if (refs.length === 0) return;
  throw inUse(ref, 'cannot be deleted: it has resources', dependents(refs), 'Delete these first, or all at once: dtkd delete --cascade.');
}

/**
 * The integrity of this node's models, as a participant of the store: every write is judged in its own transaction, whoever made it and
 * by whatever way, as things would stand afterwards. Refuses with INVALID (causes: object, field, what was expected) or CONFLICT (who
 * depends on it). Keeps the rows by which names and counts of children are found in the same batch, so that judging costs as much as
 * what was written, not as the store. Looks at objects of this node only. Does not know who writes: rights are decided before.
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

/** Creates the participant for a node's store; to be added before the first transaction. */
export function createModelRules(node: string): Participant {
  // As the transaction sees types that is judged, or the next one will: transactions are judged one after another.
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
    // what is said of resources would only repeat it
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
  throw inUse(ref, 'cannot go: it has resources', dependents(refs), 'Delete those first, or all at once: dtkd delete --cascade.');
}

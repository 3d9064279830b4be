/**
 * Records how a command ended. Writes the step's row, the resource's row and the correction of a task that is over in one
 * transaction. Does not check rights again: what a task does was judged when it began.
 */
import type { Transaction } from '../../../store/object-store.types.ts';
import type { AppliedResource, CommandEnd } from '../instances.types.ts';
import { appliedRow, jsonOf, putApplied, readApplied } from './applied-rows.ts';
import { isOpen } from './step-end.ts';
import { dropStep, putStep, stepKey } from './step-rows.ts';
import { correctedStatus, fieldsOfTask, taskRef } from './task-object.ts';
import type { Deleted, StepEnd, StepRow, TasksOptions } from './tasks.types.ts';

/** The end of a command, of a running task or of an interrupted one. */
export interface Settled {
  row: StepRow;
  end: StepEnd;
  /** The end as dispatch reports it. */
  command: CommandEnd;
  /** The command is of an earlier task, whose rows nobody reads any more. */
  earlier: boolean;
}

/**
 * Writes the end, and updates `applied` once it is durable. Several callers may settle the same command of an earlier task at
 * once, some from a stale read: only the first writes, based on the rows inside the transaction.
 */
export async function settle(
  { store, node, now }: Pick<TasksOptions, 'store' | 'node' | 'now'>,
  applied: Map<string, AppliedResource>,
  settled: Settled,
  deleted?: Deleted,
): Promise<void> {
  const { row, end, earlier } = settled;
  const at = now();
  const after = await store.transact(async (tx) => {
    // not from memory: that may predate another end that is committed in the same batch
    const before = await appliedIn(tx, row);
    if (earlier && (await tx.getRow(stepKey(row.task, row.number))) === undefined) return before;
    const next = rowAfter(settled, before, at);
    if (earlier) {
      dropStep(tx, row);
      if (!isOpen(settled.command)) await correct(tx, node, settled, at);
    } else putStep(tx, { ...row, ended: { ...end, at } });
    await writeApplied(tx, row, before, next, deleted);
    return next;
  });
  remember(applied, row.resource, after);
}

/** Updates the finished task with how the command ended. */
async function correct(tx: Transaction, node: string, { row, end }: Settled, at: number): Promise<void> {
  const object = await tx.get(taskRef(node, row.task));
  const fields = object === undefined ? undefined : fieldsOfTask(object);
  const status = fields === undefined ? undefined : correctedStatus(fields.status, row, end, at);
  if (object !== undefined && status !== undefined) await tx.put({ ...object, status });
}

async function appliedIn(
  tx: Transaction,
  { instance, resource }: Pick<StepRow, 'instance' | 'resource'>,
): Promise<AppliedResource | undefined> {
  const bytes = await tx.getRow(appliedRow(instance, resource));
  return bytes === undefined ? undefined : readApplied(jsonOf(bytes));
}

/** The same for a step that has nothing to run. */
export async function settleUnrun(
  { store, now }: Pick<TasksOptions, 'store' | 'now'>,
  applied: Map<string, AppliedResource>,
  row: Pick<StepRow, 'instance' | 'resource' | 'act' | 'goal' | 'settles'>,
  deleted?: Deleted,
): Promise<void> {
  // nothing was checked, so there is no result
  if (row.act === 'check') return;
  const at = now();
  const after = await store.transact(async (tx) => {
    const before = await appliedIn(tx, row);
    const next = rowAfter({ row, end: { state: 'succeeded' }, command: { outcome: 'succeeded' } }, before, at);
    await writeApplied(tx, row, before, next, deleted);
    return next;
  });
  remember(applied, row.resource, after);
}

/** The row of a resource after a command has ended. Undefined: the resource is gone. */
export function rowAfter(
  { row, end, command }: Pick<Settled, 'end' | 'command'> & { row: Pick<StepRow, 'act' | 'goal' | 'settles'> },
  before: AppliedResource | undefined,
  now: number,
): AppliedResource | undefined {
  const good = end.state === 'succeeded';
  switch (row.act) {
    case 'create':
    case 'converge':
      return good && row.goal !== undefined ? { ...row.goal, at: now } : before;
    case 'delete':
      return good ? undefined : before;
    case 'check': {
      const ok = command.outcome === 'succeeded';
      if (before === undefined || !(ok || command.outcome === 'failed')) return before;
      return { ...before, check: { ok, at: now, ...(ok || end.message === undefined ? {} : { message: end.message }) } };
    }
    case 'run': {
      const due = before?.due?.filter((command) => command !== row.settles);
      if (!good || before === undefined || due === undefined || due.length === before.due?.length) return before;
      return { ...before, due: due.length === 0 ? undefined : due };
    }
  }
}

async function writeApplied(
  tx: Transaction,
  { instance, resource, act }: Pick<StepRow, 'instance' | 'resource' | 'act'>,
  before: AppliedResource | undefined,
  after: AppliedResource | undefined,
  deleted: Deleted | undefined,
): Promise<void> {
  if (act === 'delete' && after === undefined) await deleted?.(tx, resource);
  if (after === before) return;
  if (after === undefined) tx.delRow(appliedRow(instance, resource));
  else putApplied(tx, instance, after);
}

function remember(applied: Map<string, AppliedResource>, resource: string, after: AppliedResource | undefined): void {
  if (after === undefined) applied.delete(resource);
  else applied.set(resource, after);
}

/** Rows of steps whose command was started: `i/s/TASK/NUMBER`, JSON. */
import { z } from 'zod';
import type { Kv } from '../../../store/kv.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import { jsonOf, readApplied, rowsOf } from './applied-rows.ts';
import type { StepRow } from './tasks.types.ts';

const ROWS = 'i/s/';

const stepRow = z.object({
  instance: z.string(),
  task: z.string(),
  number: z.string(),
  resource: z.string(),
  node: z.string(),
  command: z.string(),
  act: z.enum(['create', 'converge', 'delete', 'run', 'check']),
  options: z.record(z.string(), z.string()),
  execution: z.string(),
  startedAt: z.number(),
  settles: z.string().optional(),
  goal: z.unknown().optional(),
  ended: z
    .object({
      state: z.enum(['succeeded', 'failed', 'cancelled', 'skipped']),
      exitStatus: z.number().optional(),
      code: z.string().optional(),
      message: z.string().optional(),
      at: z.number(),
    })
    .optional(),
});

export function stepKey(task: string, number: string): string {
  return `${ROWS}${task}/${number}`;
}

export function putStep(tx: Transaction, row: StepRow): void {
  tx.putRow(stepKey(row.task, row.number), Buffer.from(JSON.stringify(row)));
}

export function dropStep(tx: Transaction, { task, number }: Pick<StepRow, 'task' | 'number'>): void {
  tx.delRow(stepKey(task, number));
}

/** All step rows of a task. */
export async function stepsOfTask(kv: Kv, task: string): Promise<StepRow[]> {
  return collect(kv, `${ROWS}${task}/`);
}

/** Step rows of an instance whose commands have no known end. */
export async function unsettledOf(kv: Kv, instance: string): Promise<StepRow[]> {
  // the prefix also matches tasks of other instances: that of "shop" matches "shop-2-1", a task of "shop-2"
  return (await collect(kv, `${ROWS}${instance}-`)).filter((row) => row.instance === instance && row.ended === undefined);
}

/** The same for all instances. */
export async function unsettledRows(kv: Kv): Promise<StepRow[]> {
  return (await collect(kv, ROWS)).filter((row) => row.ended === undefined);
}

async function collect(kv: Kv, prefix: string): Promise<StepRow[]> {
  const found: StepRow[] = [];
  for await (const [, value] of rowsOf(kv, prefix)) {
    const row = stepRow.safeParse(jsonOf(value)).data;
    if (row !== undefined) found.push({ ...row, goal: readApplied(row.goal) });
  }
  return found;
}

/** Counters of an instance (row `i/n/INSTANCE`). They only grow, also across instances that reuse the name. */
import { z } from 'zod';
import type { Transaction } from '../../../store/object-store.types.ts';
import { jsonOf } from './applied-rows.ts';

const counters = z.object({ task: z.number().int().nonnegative(), revision: z.number().int().nonnegative() });
export type Counters = z.infer<typeof counters>;

const row = (instance: string): string => `i/n/${instance}`;

/** `task`: number of the last task; `revision`: number of the last published copies. */
export async function readCounters(rows: Pick<Transaction, 'getRow'>, instance: string): Promise<Counters> {
  const bytes = await rows.getRow(row(instance));
  return (bytes === undefined ? undefined : counters.safeParse(jsonOf(bytes)).data) ?? { task: 0, revision: 0 };
}

export function writeCounters(tx: Transaction, instance: string, value: Counters): void {
  tx.putRow(row(instance), Buffer.from(JSON.stringify(value)));
}

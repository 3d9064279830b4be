/** Rows of the apps that converging made: `i/p/INSTANCE/NODE/APP`, JSON. */
import { z } from 'zod';
import type { Kv } from '../../../store/kv.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import { jsonOf, rowsOf } from '../tasks/applied-rows.ts';

const ROWS = 'i/p/';

const appRow = z.object({ name: z.string(), node: z.string(), digest: z.string().optional() });

export interface AppRow {
  /** Name of its dtApp, Service and Endpoints. */
  name: string;
  node: string;
  /** Digest of what was written. Absent: writing began and did not finish. */
  digest?: string | undefined;
}

const keyOf = (instance: string, { name, node }: AppRow): string => `${ROWS}${instance}/${node}/${name}`;

export function putApp(tx: Transaction, instance: string, row: AppRow): void {
  tx.putRow(keyOf(instance, row), Buffer.from(JSON.stringify(row)));
}

export function dropApp(tx: Transaction, instance: string, row: AppRow): void {
  tx.delRow(keyOf(instance, row));
}

/** Apps of an instance that exist, or may. */
export async function appsOf(kv: Kv, instance: string): Promise<AppRow[]> {
  const found: AppRow[] = [];
  for await (const [, value] of rowsOf(kv, `${ROWS}${instance}/`)) {
    const row = appRow.safeParse(jsonOf(value)).data;
    if (row !== undefined) found.push(row);
  }
  return found;
}

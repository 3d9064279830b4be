/** Rows `e/ID` for the next daemon: executions of which something is still to be found out. */
import { isRecord } from '../../../../protocol/encoding/json.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { CREATOR_ANNOTATION, OPERATOR, type Principal } from '../../../../protocol/rights/principal.ts';
import { type Kv, prefixEnd } from '../../store/kv.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import { fieldsOf } from './execution-object.ts';

const ROWS = 'e/';
const PAGE = 100;

/** Parts with an index below `told` may have been told. */
export function keepOpen(tx: Transaction, id: string, told: number): void {
  tx.putRow(ROWS + id, Buffer.from(JSON.stringify({ told })));
}

export function forgetOpen(tx: Transaction, id: string): void {
  tx.delRow(ROWS + id);
}

/** All executions that were left open. */
export async function* openRows(kv: Kv): AsyncGenerator<{ id: string; told: number }> {
  let from = ROWS;
  for (;;) {
    const rows = await kv.page({ gte: from, lt: prefixEnd(ROWS), limit: PAGE });
    for (const [key, value] of rows) yield { id: key.slice(ROWS.length), told: toldOf(value) };
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    from = `${last[0]}\0`;
  }
}

function toldOf(value: Uint8Array): number {
  const row: unknown = JSON.parse(Buffer.from(value).toString());
  const told = isRecord(row) ? row['told'] : undefined;
  return typeof told === 'number' ? told : Number.POSITIVE_INFINITY;
}

/** Who started it, according to the object: targets are asked in that name. May be a user of another node, whose converge started it. */
export function principalOf(object: ApiObject): Principal {
  const match = /^(.+)\/([^/@]+)@(self|[0-9a-f]{64})$/.exec(object.metadata.annotations?.[CREATOR_ANNOTATION] ?? '');
  const [, name, uid, home] = match ?? [];
  if (name === undefined || uid === undefined || home === undefined) return { type: 'operator', name: OPERATOR };
  return { type: 'user', home, name, uid, display: fieldsOf(object)?.spec.user ?? name };
}

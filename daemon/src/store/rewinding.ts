/**
 * Reconstructs rows at an earlier version from the present ones and the change log, so that all pages of a list show one state, however
 * long reading them takes. Holds only the changed rows in memory, which the log bounds.
 */
import { DtkdError } from '../../../protocol/errors.ts';
import type { ChangeLog } from './change-log.ts';
import { objectKey } from './keys.ts';
import type { Change } from './object-store.types.ts';
import { encodeObjectRow } from './rows.ts';
import type { Selection } from './selection.ts';

type Row = [key: string, row: Uint8Array];

/** The earlier rows by key, in key order; undefined where there was none. */
export type Earlier = ReadonlyMap<string, Uint8Array | undefined>;

/** Changes read at once. */
const AT_ONCE = 256;

/**
 * The rows of a selection that changed from version `from` to `to`, as they were at `from`. Undefined if the log does not reach back that
 * far.
 */
export async function earlierRows(log: ChangeLog, selection: Selection, from: number, to: number): Promise<Earlier | undefined> {
  if (from === to) return NOTHING;
  if (from > to || !log.keeps(from)) return undefined;
  const rows = new Map<string, Uint8Array | undefined>();
  for (let cursor = from; cursor < to; ) {
    const changes = await changesAfter(log, cursor);
    if (changes === undefined) return undefined;
    for (const { version, ref, origin, previous } of changes) {
      cursor = version;
      if (version > to) break;
      if (!selection.covers(ref)) continue;
      const key = objectKey(ref);
      if (key < selection.gte || key >= selection.lt || rows.has(key)) continue;
      rows.set(key, previous === undefined ? undefined : encodeObjectRow(origin, Buffer.from(JSON.stringify(previous))));
    }
  }
  return new Map([...rows].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The changes after a version; undefined if some have been trimmed meanwhile. */
async function changesAfter(log: ChangeLog, version: number): Promise<readonly Change[] | undefined> {
  try {
    return await log.after(version, AT_ONCE);
  } catch (error) {
    if (error instanceof DtkdError && error.code === 'GONE') return undefined;
    throw error;
  }
}

const NOTHING: Earlier = new Map();

/** The present rows, replaced by the earlier ones where there are any, from a key on. */
export async function* rewound(pages: AsyncIterable<readonly Row[]>, earlier: Earlier, from: string): AsyncGenerator<readonly Row[]> {
  if (earlier.size === 0) return yield* pages;
  const pending = [...earlier].filter(([key]) => key >= from);
  let next = 0;
  const before = (key: string | undefined): Row[] => {
    const rows: Row[] = [];
    for (let entry = pending[next]; entry !== undefined && (key === undefined || entry[0] < key); entry = pending[next]) {
      next += 1;
      if (entry[1] !== undefined) rows.push([entry[0], entry[1]]);
    }
    return rows;
  };
  for await (const rows of pages) {
    yield rows.flatMap((row) => [...before(row[0]), ...(earlier.has(row[0]) ? [] : [row])]);
  }
  yield before(undefined);
}

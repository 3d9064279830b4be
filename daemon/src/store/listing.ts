import { z } from 'zod';
import { DtkdError } from '../../../protocol/errors.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { type Plan, planOf } from './indexes/planning.ts';
import { DEFAULT_PAGE, type KvSnapshot } from './kv.ts';
import type { RawListPage } from './local-store.types.ts';
import { type Earlier, rewound } from './rewinding.ts';
import { jsonOfRow, objectOfRow } from './rows.ts';
import type { Selection } from './selection.ts';

/** Objects read by name at once. */
const READ_TOGETHER = 256;

/** A snapshot of the database and its version. */
export interface ReadPoint {
  snapshot: KvSnapshot;
  version: number;
}

const continuation = z.tuple([z.string().max(1024), z.number().int().nonnegative()]);

/** Where the next page begins: a key below the kind's prefix, so that it cannot lead outside; and the version of the first page. */
interface Continuation {
  after: string;
  version: number;
}

/** Parses the continue token of a page. Throws BAD_REQUEST. */
export function parseContinue(text: string): Continuation {
  try {
    const [after, version] = continuation.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    return { after, version };
  } catch (cause) {
    throw new DtkdError('BAD_REQUEST', 'the continue token of this list cannot be read', {
      next: 'Use the token of the previous page, unchanged, or begin again without one.',
      cause,
    });
  }
}

/** The continue token for the next page. */
function continueText({ after, version }: Continuation): string {
  return Buffer.from(JSON.stringify([after, version])).toString('base64url');
}

export interface RowPage {
  /** JSON of each object. */
  items: Uint8Array[];
  /** The key, below the kind's prefix, after which there is more. */
  after?: string;
}

/** The page as shown at a version. */
export function pageOf({ items, after }: RowPage, version: number): RawListPage {
  return { items, resourceVersion: String(version), ...(after === undefined ? {} : { continue: continueText({ after, version }) }) };
}

export type RowFilter = (object: ApiObject) => ApiObject | undefined;

export interface ReadOptions {
  limit?: number;
  after?: string;
  filter?: RowFilter;
  /** The earlier rows of what has changed since the version shown. */
  earlier?: Earlier;
}

const NOTHING_SINCE: Earlier = new Map();

type Row = [key: string, row: Uint8Array];

/** Reads the rows that a selection matches, in key order, at most `limit` of them (0: all). */
export async function readRows(
  snapshot: KvSnapshot,
  selection: Selection,
  { limit = 0, after, filter, earlier = NOTHING_SINCE }: ReadOptions,
): Promise<RowPage> {
  const prefix = selection.prefix;
  const items: Uint8Array[] = [];
  let last = '';
  let from = after === undefined ? selection.gte : `${prefix}${after}\0`;
  if (from < selection.gte) from = selection.gte;
  if (from >= selection.lt) return { items };
  const plan = await planOf(snapshot, {
    alternatives: selection.candidates,
    objects: prefix,
    first: from.slice(prefix.length),
    end: selection.lt.slice(prefix.length),
  });
  // reading one more than requested tells whether there is another page
  const pageSize = limit > 0 && selection.wholeRange && filter === undefined ? Math.min(limit, DEFAULT_PAGE) + 1 : DEFAULT_PAGE;
  for await (const rows of rewound(pagesOf(snapshot, plan, { prefix, from, lt: selection.lt, pageSize }), earlier, from)) {
    for (const [key, row] of rows) {
      const json = shownOf(row, selection, filter);
      if (json === undefined) continue;
      if (limit > 0 && items.length === limit) return { items, after: last.slice(prefix.length) };
      items.push(json);
      last = key;
    }
  }
  return { items };
}

interface PageRange {
  prefix: string;
  from: string;
  lt: string;
  pageSize: number;
}

/** The rows of a plan, in key order, a page at a time. */
async function* pagesOf(snapshot: KvSnapshot, plan: Plan, { prefix, from, lt, pageSize }: PageRange): AsyncGenerator<Row[]> {
  if (plan.by === 'names') {
    for (let index = 0; index < plan.names.length; index += READ_TOGETHER) {
      yield await rowsNamed(snapshot, prefix, plan.names.slice(index, index + READ_TOGETHER));
    }
    return;
  }
  const [base, size] = plan.by === 'bucket' ? [plan.bucket, READ_TOGETHER] : [prefix, pageSize];
  const end = base + lt.slice(prefix.length);
  let next = base + from.slice(prefix.length);
  while (next < end) {
    const rows = await snapshot.page({ gte: next, lt: end, limit: size, keysOnly: plan.by === 'bucket' });
    const names = () => rows.map(([key]) => key.slice(base.length));
    yield plan.by === 'bucket' ? await rowsNamed(snapshot, prefix, names()) : rows;
    const last = rows.at(-1)?.[0];
    if (last === undefined || rows.length < size) return;
    next = `${last}\0`;
  }
}

async function rowsNamed(snapshot: KvSnapshot, prefix: string, names: readonly string[]): Promise<Row[]> {
  const keys = names.map((name) => prefix + name);
  const values = await snapshot.getMany(keys);
  return keys.flatMap((key, index) => {
    const row = values[index];
    return row === undefined ? [] : [[key, row] satisfies Row];
  });
}

/** The JSON that a list shows for a row; undefined if the row is not part of it. */
function shownOf(row: Uint8Array, selection: Selection, filter: RowFilter | undefined): Uint8Array | undefined {
  if (selection.wholeRange && filter === undefined) return jsonOfRow(row);
  const object = objectOfRow(row);
  if (!selection.wholeRange && !selection.matches(object)) return undefined;
  if (filter === undefined) return jsonOfRow(row);
  const shown = filter(object);
  if (shown === object) return jsonOfRow(row);
  return shown === undefined ? undefined : Buffer.from(JSON.stringify(shown));
}

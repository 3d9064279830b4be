import { z } from 'zod';
import { DtkdError } from '../../../protocol/errors.ts';
import type { ApiObject } from '../../../protocol/objects.ts';
import { DEFAULT_PAGE, type KvSnapshot } from './kv.ts';
import { jsonOfRow, objectOfRow } from './rows.ts';
import type { Selection } from './selection.ts';

/** A database state and the version that it shows. */
export interface ReadPoint {
  snapshot: KvSnapshot;
  version: number;
}

const continuation = z.tuple([z.string().max(1024), z.number().int().nonnegative()]);

/** Where the next page begins: below the kind's prefix, so that it cannot lead out of it; and the first page's version. */
interface Continuation {
  after: string;
  version: number;
}

/** Reads the text that a page gave for the next one. */
export function parseContinue(text: string): Continuation {
  try {
    const [after, version] = continuation.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    return { after, version };
  } catch (cause) {
    throw new DtkdError('BAD_REQUEST', 'the continue token of this list cannot be read', {
      next: 'Use the token of the page before as it stands, or begin again without one.',
      cause,
    });
  }
}

function continueText({ after, version }: Continuation): string {
  return Buffer.from(JSON.stringify([after, version])).toString('base64url');
}

export interface RowPage {
  /** JSON of each object. */
  items: Uint8Array[];
  continue?: string;
}

/** Gathers the rows that a selection wants, in key order, at most `limit` of them (0: all). */
export async function readRows(
  snapshot: KvSnapshot,
  selection: Selection,
  version: number,
  { limit = 0, after, filter }: { limit?: number; after?: string; filter?: (object: ApiObject) => ApiObject | undefined },
): Promise<RowPage> {
  const prefix = `o/${selection.group}/${selection.plural}/`;
  const items: Uint8Array[] = [];
  let last = '';
  let from = after === undefined ? selection.gte : `${prefix}${after}\0`;
  if (from < selection.gte) from = selection.gte;
  // one more than asked for tells whether there is another page
  const pageSize = limit > 0 && selection.wholeRange ? Math.min(limit + 1, DEFAULT_PAGE) : DEFAULT_PAGE;
  for (;;) {
    const rows = from < selection.lt ? await snapshot.page({ gte: from, lt: selection.lt, limit: pageSize }) : [];
    for (const [key, row] of rows) {
      const json = shownOf(row, selection, filter);
      if (json === undefined) continue;
      if (limit > 0 && items.length === limit) return { items, continue: continueText({ after: last.slice(prefix.length), version }) };
      items.push(json);
      last = key;
    }
    const end = rows.at(-1)?.[0];
    if (end === undefined || rows.length < pageSize) return { items };
    from = `${end}\0`;
  }
}

/** The JSON that a list shows of a row; undefined if it does not belong there. */
function shownOf(
  row: Uint8Array,
  selection: Selection,
  filter: ((object: ApiObject) => ApiObject | undefined) | undefined,
): Uint8Array | undefined {
  if (selection.wholeRange && filter === undefined) return jsonOfRow(row);
  const object = objectOfRow(row);
  if (!selection.wholeRange && !selection.matches(object)) return undefined;
  if (filter === undefined) return jsonOfRow(row);
  const shown = filter(object);
  if (shown === object) return jsonOfRow(row);
  return shown === undefined ? undefined : Buffer.from(JSON.stringify(shown));
}

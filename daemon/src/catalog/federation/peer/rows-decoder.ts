/** Decodes one page of rows as a peer sends it (ROWS_MEDIA_TYPE): a head, objects in name order, an end. Trusts nothing. No I/O. */
import { z } from 'zod';
import { MAX_ROW_BYTES } from '../../../../../protocol/peers/remote.ts';
import { LineCutter } from './line-cutter.ts';
import { invalid, peerObject, type RowRules } from './row.ts';

/** Characters of a peer's `continue` at most: our own token contains it. */
export const MAX_PEER_CONTINUE = 1_536;

const head = z.object({
  metadata: z.object({ resourceVersion: z.string().regex(/^\d{1,20}$/) }),
  // a head has no kind; an object has
  kind: z.undefined().optional(),
});
const end = z.object({ end: z.object({ continue: z.string().max(MAX_PEER_CONTINUE).optional() }) });

export interface PeerRow {
  name: string;
  /** The object with the namespace that the peer has here. */
  json: string;
}

export class RowsDecoder {
  readonly rows: PeerRow[] = [];
  /** Bytes of the rows so far. */
  bytes = 0;
  resourceVersion: string | undefined;
  /** Set once the page is complete; `continue` is empty if there is no further page. */
  end: { continue: string } | undefined;
  readonly #lines = new LineCutter(MAX_ROW_BYTES);
  readonly #rules: RowRules;
  readonly #limit: number;
  #last: string;

  /** Rows must come after the name `after`; `limit` is how many were requested. */
  constructor(rules: RowRules, { after, limit }: { after: string; limit: number }) {
    this.#rules = rules;
    this.#last = after;
    this.#limit = limit;
  }

  /** Throws FRAME_INVALID. */
  push(chunk: Uint8Array): void {
    for (const line of this.#lines.push(chunk)) this.#take(line);
  }

  #take(line: string): void {
    if (this.end !== undefined) throw invalid('more after the end of its rows');
    const value = parse(line);
    if (this.resourceVersion === undefined) {
      const read = head.safeParse(value);
      if (!read.success) throw invalid('rows without a head');
      this.resourceVersion = read.data.metadata.resourceVersion;
      return;
    }
    if (line.startsWith('{"end"')) {
      const read = end.safeParse(value);
      if (!read.success) throw invalid('rows without a valid end');
      this.end = { continue: read.data.end.continue ?? '' };
      // otherwise a node could prolong a list for ever, with a row or two on each page
      if (this.end.continue !== '' && this.rows.length < Math.max(1, this.#limit))
        throw invalid('a page that is not full and says there are more');
      return;
    }
    const object = peerObject(value, this.#rules);
    const { name } = object.metadata;
    if (name <= this.#last) throw invalid(`rows out of order, at ${name}`);
    if (this.rows.length >= this.#limit) throw invalid('more rows than it was asked for');
    this.#last = name;
    this.rows.push({ name, json: JSON.stringify(object) });
    this.bytes += line.length;
  }
}

export function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw invalid('a line that is not JSON', cause);
  }
}

/**
 * The journal of this target: what it was ordered to do, and what became of it. Owns the rows `j/p/…`, and the Execution objects of parts
 * that other nodes started here. Guarantees that a state is on disk when `write` resolves, and that the object says the same. Decides
 * nothing.
 */
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { prefixEnd } from '../../store/kv.ts';
import type { ObjectStore, Transaction } from '../../store/object-store.types.ts';
import { executionRef, isShown, withPart } from './execution-object.ts';
import {
  decodeRow,
  encodeRow,
  FORGOTTEN,
  type Forgotten,
  forgotten,
  JOURNAL,
  JOURNAL_END,
  type JournalRow,
  type RowFacts,
  rowKey,
} from './journal-row.ts';
import { MAX_SHOWN_BYTES } from './limits.ts';
import { type CheckedOrder, readOrder } from './order-check.ts';

/** Rows per page: each may contain an order of 256 KiB. */
const PAGE = 32;

export interface JournalEntry {
  id: string;
  index: number;
  row: JournalRow;
}

/** An entry without its order, which may be large: for going through all of them. */
export interface JournalFacts {
  id: string;
  index: number;
  row: RowFacts;
  /** Length of the order. */
  bytes: number;
}

export class Journal {
  readonly #store: ObjectStore;
  readonly #node: string;
  /** Called with rows that cannot be read. They stay, and their ids are not started again. */
  readonly #onBad: (key: string, error: unknown) => void;
  #forgotten: Forgotten | undefined;

  constructor(store: ObjectStore, node: string, onBad: (key: string, error: unknown) => void) {
    this.#store = store;
    this.#node = node;
    this.#onBad = onBad;
  }

  async open(): Promise<void> {
    const bytes = await this.#store.kv.get(FORGOTTEN);
    this.#forgotten = bytes === undefined ? undefined : decodeCbor(bytes, forgotten, 'what the journal has forgotten');
  }

  /** Which ids the journal may have known and forgotten. */
  get forgotten(): Forgotten | undefined {
    return this.#forgotten;
  }

  async get(id: string, index: number): Promise<JournalRow | undefined> {
    const bytes = await this.#store.kv.get(rowKey(id, index));
    return bytes === undefined ? undefined : decodeRow(bytes);
  }

  /** As `get`; also reads ahead the object that a first `write` looks up, in the same trip to the disk. */
  async expect(id: string, index: number): Promise<JournalRow | undefined> {
    const [row] = await Promise.all([this.get(id, index), this.#store.get(executionRef(this.#node, id))]);
    return row;
  }

  /**
   * Writes a row, its object, and what `also` adds in one transaction. `fresh`: the part is new. An object that was deleted while the
   * part ran is not made again. `order`: that of the row. Errors: TOO_LARGE for one part more than an object can show.
   */
  async write(order: CheckedOrder, row: JournalRow, fresh: boolean, also?: (tx: Transaction) => Promise<void>): Promise<void> {
    const { id, index } = order;
    await this.#store.transact(async (tx) => {
      await also?.(tx);
      tx.putRow(rowKey(id, index), encodeRow(row));
      if (!isShown(row)) return;
      const object = await tx.get(executionRef(this.#node, id));
      if (object === undefined && !fresh) return;
      const shown = withPart(object, order, row, this.#node);
      if (fresh) assertSize(shown);
      await tx.put(shown);
    });
  }

  /** Writes only the row, for a part that ended on arrival, which no object shows. */
  async note(id: string, index: number, row: JournalRow): Promise<void> {
    await this.#store.transact(async (tx) => tx.putRow(rowKey(id, index), encodeRow(row)));
  }

  /** Entries whose ids start with `idStart` and that are wanted, in order, up to the limits. */
  async find(idStart: string, limits: { entries: number; bytes: number }, wanted: (row: JournalRow) => boolean): Promise<JournalEntry[]> {
    const gte = `${JOURNAL}${idStart}`;
    const found: JournalEntry[] = [];
    let bytes = 0;
    for await (const entry of this.#range(gte, prefixEnd(gte))) {
      if (!wanted(entry.row)) continue;
      bytes += entry.row.order.length;
      if (bytes > limits.bytes) break;
      found.push(entry);
      if (found.length >= limits.entries) break;
    }
    return found;
  }

  /** All entries of an execution, or of all executions, without their orders. */
  async *facts(id = ''): AsyncGenerator<JournalFacts> {
    const gte = `${JOURNAL}${id}`;
    for await (const { row, ...which } of this.#range(gte, id === '' ? JOURNAL_END : prefixEnd(gte))) {
      const { order, ...facts } = row;
      yield { ...which, row: facts, bytes: order.length };
    }
  }

  entries(): AsyncIterable<JournalEntry> {
    return this.#range(JOURNAL, JOURNAL_END);
  }

  /**
   * Forgets parts, and the objects of executions of which nothing is left here. Records in the same transaction that there were such: if
   * the clock was wrong, their orders are not taken for new ones.
   */
  async remove(entries: readonly Omit<JournalFacts, 'bytes'>[], now: number): Promise<void> {
    if (entries.length === 0) return;
    let next = this.#forgotten ?? { at: now, createdAt: Number.MIN_SAFE_INTEGER };
    await this.#store.transact(async (tx) => {
      for (const { id, index, row } of entries) {
        const bytes = await tx.getRow(rowKey(id, index));
        if (bytes === undefined) continue;
        const { createdAt } = readOrder(decodeRow(bytes).order).header;
        next = { at: Math.max(next.at, now), createdAt: Math.max(next.createdAt, createdAt) };
        tx.delRow(rowKey(id, index));
        if (row.from !== undefined) await tx.delete(executionRef(this.#node, id));
      }
      tx.putRow(FORGOTTEN, encodeCbor(next));
    });
    this.#forgotten = next;
  }

  async *#range(gte: string, lt: string): AsyncGenerator<JournalEntry> {
    for (let from = gte; ; ) {
      const page = await this.#store.kv.page({ gte: from, lt, limit: PAGE });
      for (const [key, value] of page) {
        const [id = '', index = ''] = key.slice(JOURNAL.length).split('/');
        try {
          yield { id, index: Number.parseInt(index, 16), row: decodeRow(value) };
        } catch (error) {
          this.#onBad(key, error);
        }
      }
      const last = page.at(-1)?.[0];
      if (last === undefined) return;
      from = `${last}\u0000`;
    }
  }
}

function assertSize(shown: ApiObject): void {
  if (JSON.stringify(shown['spec']).length <= MAX_SHOWN_BYTES) return;
  throw new DtkdError('TOO_LARGE', 'the parts of one execution are too large on this node to be shown', {
    next: 'Put large values into a file (dtkd cp) or a module, or split it into several executions.',
  });
}

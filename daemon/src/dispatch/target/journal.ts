/**
 * The journal of this target: what it was ordered, and what became of it. Owns the rows `j/p/…` and the Execution objects of parts that other nodes
 * started here. Guarantees that a written state is on the disk when `write` resolves, and that the object says the same. Decides nothing.
 */
import { prefixEnd } from '../../store/kv.ts';
import type { ObjectStore, Transaction } from '../../store/object-store.types.ts';
import { executionRef, isShown, withPart } from './execution-object.ts';
import { decodeRow, encodeRow, JOURNAL, JOURNAL_END, type JournalRow, rowKey } from './journal-row.ts';

export interface JournalEntry {
  id: string;
  index: number;
  row: JournalRow;
}

export class Journal {
  readonly #store: ObjectStore;
  readonly #node: string;
  /** Told of rows that cannot be read. They stay, and their ids are not started again. */
  readonly #onBad: (key: string, error: unknown) => void;

  constructor(store: ObjectStore, node: string, onBad: (key: string, error: unknown) => void) {
    this.#store = store;
    this.#node = node;
    this.#onBad = onBad;
  }

  async get(id: string, index: number): Promise<JournalRow | undefined> {
    const bytes = await this.#store.kv.get(rowKey(id, index));
    return bytes === undefined ? undefined : decodeRow(bytes);
  }

  /**
   * Writes a row, its object, and what else belongs into the same transaction. `fresh`: the part is new. An object that was deleted while the part ran is not
   * made again.
   */
  async write(id: string, index: number, row: JournalRow, fresh: boolean, also?: (tx: Transaction) => Promise<void>): Promise<void> {
    await this.#store.transact(async (tx) => {
      await also?.(tx);
      tx.putRow(rowKey(id, index), encodeRow(row));
      if (!isShown(row)) return;
      const object = await tx.get(executionRef(this.#node, id));
      if (object !== undefined || fresh) await tx.put(withPart(object, row, this.#node));
    });
  }

  /** Only the row: of what nobody is shown. */
  async note(id: string, index: number, row: JournalRow): Promise<void> {
    await this.#store.transact(async (tx) => tx.putRow(rowKey(id, index), encodeRow(row)));
  }

  /** All entries of ids that begin so, in their order, as many as the limit says. */
  async find(idStart: string, limit: number): Promise<JournalEntry[]> {
    const gte = `${JOURNAL}${idStart}`;
    const found: JournalEntry[] = [];
    for await (const entry of this.#range(gte, prefixEnd(gte))) {
      found.push(entry);
      if (found.length >= limit) break;
    }
    return found;
  }

  entries(): AsyncIterable<JournalEntry> {
    return this.#range(JOURNAL, JOURNAL_END);
  }

  /** Forgets parts, and the objects of executions of which nothing is left here. */
  async remove(entries: readonly JournalEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await this.#store.transact(async (tx) => {
      for (const { id, index, row } of entries) {
        tx.delRow(rowKey(id, index));
        if (row.from !== undefined) await tx.delete(executionRef(this.#node, id));
      }
    });
  }

  async *#range(gte: string, lt: string): AsyncGenerator<JournalEntry> {
    for (let from = gte; ; ) {
      const page = await this.#store.kv.page({ gte: from, lt });
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

/**
 * Who made which of this node's objects, by kind and name, for decisions that know only a name: an index of CREATOR_ANNOTATION, kept in
 * rows (`a/c/`) written in the same batch as the object.
 */
import { CREATOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import { type Kv, prefixEnd } from '../store/kv.ts';
import type { Change, Transaction } from '../store/object-store.types.ts';
import type { FactBook } from './fact-book.ts';
import { kindText } from './scope.ts';

const ROWS = 'a/c/';

export class Creators {
  readonly #kv: Kv;
  readonly #book: FactBook;

  constructor(kv: Kv, book: FactBook) {
    this.#kv = kv;
    this.#book = book;
  }

  async load(): Promise<void> {
    for (let gte = ROWS; ; ) {
      const page = await this.#kv.page({ gte, lt: prefixEnd(ROWS) });
      for (const [key, value] of page) {
        const [kind, name] = key.slice(ROWS.length).split('/');
        if (kind !== undefined && name !== undefined) this.#book.setCreator(kind, name, Buffer.from(value).toString('utf8'));
      }
      const last = page.at(-1);
      if (last === undefined) return;
      gte = `${last[0]}\0`;
    }
  }

  /** Writes the row for a change of an own object. */
  prepare({ type, ref, object, previous }: Change, tx: Transaction): void {
    const creator = type === 'DELETED' ? undefined : creatorIn(object);
    const before = type === 'DELETED' ? creatorIn(object) : previous && creatorIn(previous);
    if (creator === before && type !== 'DELETED') return;
    const key = `${ROWS}${kindText(ref.group, ref.plural)}/${ref.name}`;
    if (creator !== undefined) tx.putRow(key, Buffer.from(creator));
    else if (before !== undefined) tx.delRow(key);
  }

  /** Updates the facts after a durable change of an own object. */
  take({ type, ref, object }: Change): void {
    const creator = type === 'DELETED' ? undefined : creatorIn(object);
    const kind = kindText(ref.group, ref.plural);
    if (creator !== this.#book.creatorOf(kind, ref.name)) this.#book.setCreator(kind, ref.name, creator);
  }
}

function creatorIn({ metadata }: Change['object']): string | undefined {
  return metadata.annotations?.[CREATOR_ANNOTATION];
}

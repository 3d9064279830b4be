/**
 * How lists differ from what was kept at their version: they leave out the rows of nodes that did not answer, or show them as old, without
 * any change in the log. A watch from such a list shows these rows first. Each list has a version of its own, so this affects no other
 * reader.
 */
import type { Kv, KvOp } from '../../../store/kv.ts';
import { noteKey, noteKeys, type View, versionOfKey } from './cache-keys.ts';
import { unknownVersion } from './journal.ts';

/** Lists for which notes are kept; readers with an older version have to list again. */
const MAX_NOTES = 256;

/**
 * What a list showed of a node. `absent`: nothing. `partly`: perhaps some rows, before the node failed. `otherwise`: all rows, but current
 * ones marked as old, or old ones as current.
 */
export type Difference = 'absent' | 'partly' | 'otherwise';
/** By the peer's key. */
export type ListNote = ReadonlyMap<string, Difference>;
/** The list showed rows that may never become known here. */
export type Untraceable = 'untraceable';

export class ListNotes {
  readonly #view: View;
  readonly #notes: Map<number, ListNote | Untraceable>;
  /** Notes about lists up to this version are gone. */
  #forgotten: number;

  private constructor(view: View, notes: Map<number, ListNote | Untraceable>) {
    this.#view = view;
    this.#notes = notes;
    const [first] = notes.keys();
    this.#forgotten = notes.size < MAX_NOTES || first === undefined ? 0 : first - 1;
  }

  static async open(kv: Pick<Kv, 'page'>, view: View): Promise<ListNotes> {
    const rows = await kv.page({ ...noteKeys(view), limit: 2 * MAX_NOTES });
    return new ListNotes(view, new Map(rows.map(([key, row]) => [versionOfKey(key), read(row)])));
  }

  /** Adds to the note for the list of a version. Returns the writes that this needs. */
  add(version: number, note: ListNote | Untraceable): KvOp[] {
    const known = this.#notes.get(version);
    if (version <= this.#forgotten || known === 'untraceable' || (note !== 'untraceable' && note.size === 0)) return [];
    const both = note === 'untraceable' ? note : new Map([...(known ?? []), ...note]);
    this.#notes.set(version, both);
    // a paged list may end after lists that began later, so the newest note may have the oldest version
    const ops = this.#notes.size > MAX_NOTES ? this.cut(Math.min(...this.#notes.keys())) : [];
    if (this.#notes.has(version)) ops.push({ type: 'put', key: noteKey(this.#view, version), value: write(both) });
    return ops;
  }

  /**
   * The note for the list of a version; empty if that is the version of a complete list or of a bookmark. Throws GONE if nobody can go on
   * from it.
   */
  of(version: number): ListNote {
    const note = this.#notes.get(version) ?? new Map();
    if (version <= this.#forgotten || note === 'untraceable') throw unknownVersion(version);
    return note;
  }

  /** Forgets all versions up to this one. Returns the writes that this needs. */
  cut(upTo: number): KvOp[] {
    this.#forgotten = Math.max(this.#forgotten, upTo);
    for (const version of this.#notes.keys()) if (version <= upTo) this.#notes.delete(version);
    return [{ type: 'clear', gte: noteKey(this.#view, 0), lt: noteKey(this.#view, upTo + 1) }];
  }
}

function write(note: ListNote | Untraceable): Uint8Array {
  return Buffer.from(JSON.stringify(note === 'untraceable' ? note : Object.fromEntries(note)));
}

function read(row: Uint8Array): ListNote | Untraceable {
  const stored: Record<string, Difference> | Untraceable = JSON.parse(Buffer.from(row).toString('utf8'));
  return stored === 'untraceable' ? stored : new Map(Object.entries(stored));
}

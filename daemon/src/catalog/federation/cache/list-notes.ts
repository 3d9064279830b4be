/**
 * How lists differ from what was kept at their version: rows of nodes that did not answer are left out or shown as old ones, though nothing has
 * happened to them. Whoever goes on from such a list is shown them first. Each list has a version of its own, so that this concerns nobody else.
 */
import type { Kv, KvOp } from '../../../store/kv.ts';
import { noteKey, noteKeys, type View, versionOfKey } from './cache-keys.ts';
import { unknownVersion } from './journal.ts';

/** Lists of which it is remembered; who goes on from a version of before them has to list again. */
const MAX_NOTES = 256;

/**
 * What a list showed of a node: nothing at all; maybe some rows, before the node failed; or all, but as old ones that are not, or as present ones
 * that are old.
 */
export type Difference = 'absent' | 'partly' | 'otherwise';
/** By peer. */
export type ListNote = ReadonlyMap<string, Difference>;
/** It showed rows that nobody may ever come to know here. */
export type Untraceable = 'untraceable';

export class ListNotes {
  readonly #view: View;
  readonly #notes: Map<number, ListNote | Untraceable>;
  /** Nothing is remembered of lists up to this version. */
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

  /** Adds to what is noted of the list of a version. Returns what is to be written. */
  add(version: number, note: ListNote | Untraceable): KvOp[] {
    const known = this.#notes.get(version);
    if (version <= this.#forgotten || known === 'untraceable' || (note !== 'untraceable' && note.size === 0)) return [];
    const both = note === 'untraceable' ? note : new Map([...(known ?? []), ...note]);
    this.#notes.set(version, both);
    // lists in pages end after others that began later: the last one noted may be the oldest
    const ops = this.#notes.size > MAX_NOTES ? this.cut(Math.min(...this.#notes.keys())) : [];
    if (this.#notes.has(version)) ops.push({ type: 'put', key: noteKey(this.#view, version), value: write(both) });
    return ops;
  }

  /** What is noted of the list of a version; nothing if the version is that of a whole list, or of a bookmark. Throws GONE if that is not known. */
  of(version: number): ListNote {
    const note = this.#notes.get(version) ?? new Map();
    if (version <= this.#forgotten || note === 'untraceable') throw unknownVersion(version);
    return note;
  }

  /** Forgets versions up to one. Returns what is to be written. */
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

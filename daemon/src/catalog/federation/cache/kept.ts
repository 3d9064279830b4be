/**
 * All that other nodes last answered to this node's users. Provides one view for each user and kind. If there are too many users, or they
 * hold too much, it forgets those who have not asked for the longest time.
 */
import { z } from 'zod';
import type { Kind } from '../../../../../protocol/kinds/kind.ts';
import type { Subject } from '../../../../../protocol/rights/principal.ts';
import type { Kv, KvOp } from '../../../store/kv.ts';
import { ASKERS, askerKey, askerOf, askerRanges, lastPart, rangeOf, viewText } from './cache-keys.ts';
import type { Journal } from './journal.ts';
import { KeptView } from './kept-view.ts';

/** Limits on users with kept rows, and on the bytes kept for all of them. */
const MAX_ASKERS = 256;
const MAX_BYTES = 512 * 1024 * 1024;
/** Views that stay in memory though nobody uses them. */
const MAX_IDLE_VIEWS = 64;

interface Asker {
  /** Milliseconds since the epoch. */
  used: number;
  bytes: number;
}

const askerRow = z.object({ used: z.number(), bytes: z.number() });

export interface HeldView {
  kept: KeptView;
  /** Call it once the view is no longer used. */
  release(): void;
  /**
   * Keeps the view in use until `work` ends. For work that writes into the view and may outlast its other users: meanwhile no second view
   * of the same is opened.
   */
  during<T>(work: Promise<T>): Promise<T>;
}

export class Kept {
  readonly #kv: Kv;
  readonly #journal: Journal;
  readonly #now: () => number;
  readonly #askers: Map<string, Asker>;
  readonly #views = new Map<string, { opening: Promise<KeptView>; asker: string; users: number }>();
  /** Deletions of users' rows that are under way. */
  readonly #forgetting = new Map<string, Promise<void>>();

  private constructor(kv: Kv, journal: Journal, now: () => number, askers: Map<string, Asker>) {
    this.#kv = kv;
    this.#journal = journal;
    this.#now = now;
    this.#askers = askers;
  }

  static async open(kv: Kv, journal: Journal, now: () => number): Promise<Kept> {
    const rows = await kv.page({ ...rangeOf(ASKERS), limit: 2 * MAX_ASKERS });
    const read = rows.map(([key, row]): [string, Asker] => [lastPart(key), askerRow.parse(JSON.parse(Buffer.from(row).toString('utf8')))]);
    return new Kept(kv, journal, now, new Map(read));
  }

  async hold(user: Subject, kind: Pick<Kind, 'group' | 'plural'>): Promise<HeldView> {
    const asker = askerOf(user);
    // a view opened now would take rows that are being deleted as present
    for (let going = this.#forgetting.get(asker); going !== undefined; going = this.#forgetting.get(asker))
      await going.catch(() => undefined);
    const view = { asker, group: kind.group, plural: kind.plural };
    const key = viewText(view);
    const known = this.#askers.get(asker);
    this.#askers.set(asker, { bytes: known?.bytes ?? 0, used: this.#now() });
    let entry = this.#views.get(key);
    if (entry === undefined) {
      entry = { opening: KeptView.open(this.#kv, this.#journal, view, (bytes) => this.#account(asker, bytes)), asker, users: 0 };
      this.#views.set(key, entry);
      entry.opening.catch(() => this.#views.delete(key));
    }
    const held = entry;
    held.users += 1;
    const release = () => {
      held.users -= 1;
      // moving it to the end keeps the map in order of use
      if (held.users > 0 || this.#views.get(key) !== held) return;
      this.#views.delete(key);
      this.#views.set(key, held);
      this.#tidy();
    };
    try {
      const kept = await held.opening;
      if (known === undefined || this.#bytes() > MAX_BYTES) await this.#evict(asker);
      const during = <T>(work: Promise<T>): Promise<T> => {
        held.users += 1;
        return work.finally(release);
      };
      return { kept, release, during };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Deletes all that is kept for a user. */
  forget(asker: string): Promise<void> {
    const before = this.#forgetting.get(asker)?.catch(() => undefined);
    const going = Promise.resolve(before).then(() => this.#delete(asker));
    this.#forgetting.set(asker, going);
    return going.finally(() => {
      if (this.#forgetting.get(asker) === going) this.#forgetting.delete(asker);
    });
  }

  async #delete(asker: string): Promise<void> {
    this.#askers.delete(asker);
    for (const [key, entry] of this.#views) {
      if (entry.asker !== asker) continue;
      this.#views.delete(key);
      await (await entry.opening).close();
    }
    const clears = askerRanges(asker).map((range): KvOp => ({ type: 'clear', ...range }));
    await this.#kv.batch([...clears, { type: 'del', key: askerKey(asker) }], { sync: false });
  }

  /** Ends all writing: nobody has a use for what still arrives. */
  async close(): Promise<void> {
    for (const { opening } of this.#views.values()) await opening.then((kept) => kept.close()).catch(() => undefined);
    this.#views.clear();
  }

  #account(asker: string, bytes: number): KvOp[] {
    const known = this.#askers.get(asker) ?? { used: this.#now(), bytes: 0 };
    known.bytes = Math.max(0, known.bytes + bytes);
    this.#askers.set(asker, known);
    return [{ type: 'put', key: askerKey(asker), value: Buffer.from(JSON.stringify(known)) }];
  }

  #bytes(): number {
    let sum = 0;
    for (const { bytes } of this.#askers.values()) sum += bytes;
    return sum;
  }

  async #evict(present: string): Promise<void> {
    const others = [...this.#askers].filter(([asker]) => asker !== present).sort(([, a], [, b]) => a.used - b.used);
    for (const [asker] of others) {
      if (this.#askers.size <= MAX_ASKERS && this.#bytes() <= MAX_BYTES) return;
      // look one by one: a user may come back while others are being forgotten
      const isBusy = [...this.#views.values()].some((view) => view.asker === asker && view.users > 0);
      if (!isBusy) await this.forget(asker);
    }
  }

  #tidy(): void {
    const idle = [...this.#views].filter(([, { users }]) => users === 0);
    for (const [key] of idle.slice(0, Math.max(0, idle.length - MAX_IDLE_VIEWS))) this.#views.delete(key);
  }
}

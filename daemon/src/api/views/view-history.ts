/**
 * When it last changed who may see what. A watch that goes on from a version before that cannot know what its client was shown: it is told to
 * list again. Also tells open watches to look again. Keeps one number, and who has looked at what since.
 */
import { createHash } from 'node:crypto';
import { type Principal, subjectText, type UserPrincipal } from '../../../../protocol/rights/principal.ts';
import type { Access } from '../../access/access.types.ts';
import type { ListQuery, ObjectStore } from '../../store/object-store.types.ts';

/** Lists and principals remembered at most; one that is forgotten costs another list. */
const MAX_REMEMBERED = 4096;

/** What a list or watch is of. */
type Selected = Pick<ListQuery, 'group' | 'plural' | 'namespace' | 'labelSelector' | 'fieldSelector' | 'where'>;

export class ViewHistory {
  readonly #store: Pick<ObjectStore, 'version'>;
  readonly #listeners = new Set<() => void>();
  /**
   * What was listed by whom since the last change, at the version of that change: a right that runs out does not move the version. Each list by itself:
   * who has one list anew may have others of before, from the same version.
   */
  readonly #fresh = new Set<string>();
  /** Whose watches went through the rows since the last change, and the version that they ended with: before it their clients have a part. */
  readonly #reviewed = new Map<string, number>();
  /** Lists that showed a version partly by earlier rights, and have not shown it since as it is. */
  readonly #mixed = new Map<string, number>();
  #changedAt: number;
  #generation = 0;
  /** Follows rights no more. */
  readonly close: () => void;

  constructor(access: Pick<Access, 'onChange'>, store: Pick<ObjectStore, 'version'>) {
    this.#store = store;
    // what happened while the daemon was down is not known
    this.#changedAt = store.version();
    this.close = access.onChange(() => this.#changed());
  }

  /** Differs if anything has changed in between. */
  get generation(): number {
    return this.#generation;
  }

  /** Notes that a principal was shown what it may see of a selection at a version. */
  looked(principal: Principal, selected: Selected, version: number): void {
    if (principal.type !== 'user' || (version !== this.#changedAt && this.#mixed.size === 0)) return;
    const look = lookOf(principal, selected);
    if (this.#mixed.get(look) === version) this.#mixed.delete(look);
    if (version !== this.#changedAt) return;
    this.#fresh.add(look);
    const [oldest] = this.#fresh;
    if (this.#fresh.size > MAX_REMEMBERED && oldest !== undefined) this.#fresh.delete(oldest);
  }

  /** Notes that a watch of a principal tells what changes of rights make of its rows, up to a version. */
  reviewing(principal: Principal, version: number): void {
    if (principal.type !== 'user') return;
    if (this.#reviewed.size >= MAX_REMEMBERED) this.#forget();
    const user = subjectText(principal);
    this.#reviewed.set(user, Math.max(version, this.#reviewed.get(user) ?? 0));
  }

  /** Notes that a principal was shown a selection at a version partly by earlier rights: no watch goes on from it. */
  mixed(principal: Principal, selected: Selected, version: number): void {
    if (principal.type !== 'user') return;
    if (this.#mixed.size >= MAX_REMEMBERED) this.#forget();
    this.#mixed.set(lookOf(principal, selected), version);
  }

  /** True if a principal that was shown a selection at a version then saw by the same rights as now. */
  unchangedSince(principal: Principal, selected: Selected, version: number): boolean {
    if (principal.type !== 'user') return true;
    if (version < this.#changedAt || version < (this.#reviewed.get(subjectText(principal)) ?? 0)) return false;
    const look = lookOf(principal, selected);
    return version !== this.#mixed.get(look) && (version > this.#changedAt || this.#fresh.has(look));
  }

  /** True if a state of that version, and all after it, are of a time in which rights were as they are now: what was there before is nobody's business. */
  covers(principal: Principal, version: number): boolean {
    return principal.type !== 'user' || version >= this.#changedAt;
  }

  /** Called after each change. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#generation += 1;
    this.#forget();
    for (const listener of this.#listeners) listener();
  }

  /** Nobody goes on from before now. */
  #forget(): void {
    this.#changedAt = this.#store.version();
    this.#fresh.clear();
    this.#reviewed.clear();
    this.#mixed.clear();
  }
}

/** Who looks at what: of a fixed length, since selectors are as long as clients make them. */
function lookOf(principal: UserPrincipal, { group, plural, namespace, labelSelector, fieldSelector, where }: Selected): string {
  const selectors = [labelSelector, fieldSelector, where].map((selector = '') => selector.trim());
  const text = JSON.stringify([subjectText(principal), group, plural, namespace ?? '', ...selectors]);
  return createHash('sha256').update(text).digest('base64');
}

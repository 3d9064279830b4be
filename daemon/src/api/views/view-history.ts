/**
 * Tracks when it last changed who may see what. A watch that resumes from a version before that cannot know what its client was
 * shown, so its client is told to list again. Also tells open watches to look again. Keeps one version, and who has looked at what
 * since.
 */
import { createHash } from 'node:crypto';
import { type Principal, subjectText, type UserPrincipal } from '../../../../protocol/rights/principal.ts';
import type { Access } from '../../access/access.types.ts';
import type { ListQuery, ObjectStore } from '../../store/object-store.types.ts';

/** Maximum number of remembered lists and principals; forgetting one costs its client another list. */
const MAX_REMEMBERED = 4096;

/** What a list or watch selects. */
type Selected = Pick<ListQuery, 'group' | 'plural' | 'namespace' | 'labelSelector' | 'fieldSelector' | 'where'>;

export class ViewHistory {
  readonly #store: Pick<ObjectStore, 'version'>;
  readonly #listeners = new Set<() => void>();
  /**
   * Who has listed what since the last change, at the version of that change. The version alone does not tell, because rights can
   * change without a new version, for example when one expires. Each list is tracked by itself: a client that has made one list
   * again may still have others from before, at the same version.
   */
  readonly #fresh = new Set<string>();
  /**
   * Users whose watches reviewed their rows since the last change, and the version at which the review ended. At earlier versions,
   * their clients have only part of it.
   */
  readonly #reviewed = new Map<string, number>();
  /** Lists that showed a version partly by earlier rights, and have not been read again at it since. */
  readonly #mixed = new Map<string, number>();
  #changedAt: number;
  #generation = 0;
  /** Stops following rights. */
  readonly close: () => void;

  constructor(access: Pick<Access, 'onChange'>, store: Pick<ObjectStore, 'version'>) {
    this.#store = store;
    // changes while the daemon was down are not known
    this.#changedAt = store.version();
    this.close = access.onChange(() => this.#changed());
  }

  /** Differs from an earlier value if rights have changed in between. */
  get generation(): number {
    return this.#generation;
  }

  /** Notes that a principal was shown all that it may see of a selection at a version. */
  looked(principal: Principal, selected: Selected, version: number): void {
    if (principal.type !== 'user' || (version !== this.#changedAt && this.#mixed.size === 0)) return;
    const look = lookOf(principal, selected);
    if (this.#mixed.get(look) === version) this.#mixed.delete(look);
    if (version !== this.#changedAt) return;
    this.#fresh.add(look);
    const [oldest] = this.#fresh;
    if (this.#fresh.size > MAX_REMEMBERED && oldest !== undefined) this.#fresh.delete(oldest);
  }

  /** Notes that a watch of a principal reports the effects of changed rights on its rows, up to a version. */
  reviewing(principal: Principal, version: number): void {
    if (principal.type !== 'user') return;
    if (this.#reviewed.size >= MAX_REMEMBERED) this.#forget();
    const user = subjectText(principal);
    this.#reviewed.set(user, Math.max(version, this.#reviewed.get(user) ?? 0));
  }

  /** Notes that a principal was shown a selection at a version partly by earlier rights; no watch can resume from it. */
  mixed(principal: Principal, selected: Selected, version: number): void {
    if (principal.type !== 'user') return;
    if (this.#mixed.size >= MAX_REMEMBERED) this.#forget();
    this.#mixed.set(lookOf(principal, selected), version);
  }

  /** True if what a principal was shown of a selection at a version was decided by the same rights as it has now. */
  unchangedSince(principal: Principal, selected: Selected, version: number): boolean {
    if (principal.type !== 'user') return true;
    if (version < this.#changedAt || version < (this.#reviewed.get(subjectText(principal)) ?? 0)) return false;
    const look = lookOf(principal, selected);
    return version !== this.#mixed.get(look) && (version > this.#changedAt || this.#fresh.has(look));
  }

  /** True if rights have not changed since that version. A state from before then must not be shown. */
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

  /** Lets no watch resume from an earlier version. */
  #forget(): void {
    this.#changedAt = this.#store.version();
    this.#fresh.clear();
    this.#reviewed.clear();
    this.#mixed.clear();
  }
}

/** A key for who looks at what. It is hashed to a fixed length, since selectors are as long as clients make them. */
function lookOf(principal: UserPrincipal, { group, plural, namespace, labelSelector, fieldSelector, where }: Selected): string {
  const selectors = [labelSelector, fieldSelector, where].map((selector = '') => selector.trim());
  const text = JSON.stringify([subjectText(principal), group, plural, namespace ?? '', ...selectors]);
  return createHash('sha256').update(text).digest('base64');
}

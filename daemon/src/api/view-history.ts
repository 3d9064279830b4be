/**
 * When it last changed who may see what. A watch that goes on from a version before that cannot know what its client was shown: it is told to
 * list again. Also tells open watches to look again. Keeps one number, and the names of those who have looked since.
 */
import { type Principal, subjectText } from '../../../protocol/principal.ts';
import type { Access } from '../access/access.types.ts';
import type { ObjectStore } from '../store/object-store.types.ts';

/** Principals remembered at most; beyond them all are forgotten, which costs each of them another list. */
const MAX_PRINCIPALS = 4096;

export class ViewHistory {
  readonly #store: Pick<ObjectStore, 'version'>;
  readonly #listeners = new Set<() => void>();
  /** Who has listed since the last change, at the version of that change: a right that runs out does not move the version. */
  readonly #fresh = new Set<string>();
  /** Whose watches went through the rows since the last change, and the version that they ended with: before it their clients have a part. */
  readonly #reviewed = new Map<string, number>();
  /** Who was shown a version partly by earlier rights, and has not been shown it since as it is. */
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

  /** Notes that a principal was shown what it may see at a version. */
  looked(principal: Principal, version: number): void {
    if (principal.type !== 'user') return;
    const user = subjectText(principal);
    if (this.#mixed.get(user) === version) this.#mixed.delete(user);
    if (version !== this.#changedAt) return;
    if (this.#fresh.size >= MAX_PRINCIPALS) this.#fresh.clear();
    this.#fresh.add(user);
  }

  /** Notes that a watch of a principal tells what changes of rights make of its rows, up to a version. */
  reviewing(principal: Principal, version: number): void {
    if (principal.type !== 'user') return;
    if (this.#reviewed.size >= MAX_PRINCIPALS) this.#forget();
    const user = subjectText(principal);
    this.#reviewed.set(user, Math.max(version, this.#reviewed.get(user) ?? 0));
  }

  /** Notes that a principal was shown a version partly by earlier rights: no watch goes on from it. */
  mixed(principal: Principal, version: number): void {
    if (principal.type !== 'user') return;
    if (this.#mixed.size >= MAX_PRINCIPALS) this.#forget();
    this.#mixed.set(subjectText(principal), version);
  }

  /** True if a principal that was shown a version then saw by the same rights as now. */
  unchangedSince(principal: Principal, version: number): boolean {
    if (principal.type !== 'user') return true;
    const user = subjectText(principal);
    if (version < (this.#reviewed.get(user) ?? 0) || version === this.#mixed.get(user)) return false;
    return version > this.#changedAt || (version === this.#changedAt && this.#fresh.has(user));
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

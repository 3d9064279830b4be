/**
 * When it last changed who may see what. A watch that goes on from a version before that cannot know what its client was shown: it is told to
 * list again. Also tells open watches to look again. Keeps one number and the names of those who have looked since.
 */
import { type Principal, subjectText } from '../../../protocol/principal.ts';
import type { Access } from '../access/access.types.ts';
import type { ObjectStore } from '../store/object-store.types.ts';

/** Principals remembered at most; beyond them all are forgotten, which costs each that goes on from this very version another list. */
const MAX_FRESH = 4096;

export class ViewHistory {
  readonly #store: Pick<ObjectStore, 'version'>;
  readonly #listeners = new Set<() => void>();
  /** Who has listed since the last change, at the version of that change: a right that runs out does not move the version. */
  readonly #fresh = new Set<string>();
  #changedAt: number;
  #generation = 0;

  constructor(access: Pick<Access, 'onChange'>, store: Pick<ObjectStore, 'version'>) {
    this.#store = store;
    // what happened while the daemon was down is not known
    this.#changedAt = store.version();
    access.onChange(() => this.#changed());
  }

  /** Differs if anything has changed in between. */
  get generation(): number {
    return this.#generation;
  }

  /** Notes that a principal was shown what it may see at a version. */
  looked(principal: Principal, version: number): void {
    if (principal.type !== 'user' || version !== this.#changedAt) return;
    if (this.#fresh.size >= MAX_FRESH) this.#fresh.clear();
    this.#fresh.add(subjectText(principal));
  }

  /** True if a principal that was shown a version then saw by the same rights as now. */
  unchangedSince(principal: Principal, version: number): boolean {
    if (principal.type !== 'user' || version > this.#changedAt) return true;
    return version === this.#changedAt && this.#fresh.has(subjectText(principal));
  }

  /** Called after each change. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#generation += 1;
    this.#changedAt = this.#store.version();
    this.#fresh.clear();
    for (const listener of this.#listeners) listener();
  }
}

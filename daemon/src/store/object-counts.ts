/**
 * Counts the objects of each kind: once, key by key at one version, and from then on by following changes. Costs nothing until the first
 * request.
 */
import { OBJECT_PREFIX, refOfKey } from './keys.ts';
import { DEFAULT_PAGE, prefixEnd } from './kv.ts';
import type { ReadPoint } from './listing.ts';
import type { Change } from './object-store.types.ts';

export class ObjectCounts {
  readonly #at: (count: (point: ReadPoint) => Promise<void>) => Promise<void>;
  readonly #counts = new Map<string, number>();
  /** Changes made before the count was complete. */
  #early: Change[] = [];
  #counted = false;
  #counting: Promise<void> | undefined;

  /** `at` calls back with a read point that shows exactly one version. */
  constructor(at: (count: (point: ReadPoint) => Promise<void>) => Promise<void>) {
    this.#at = at;
  }

  /** By `group/plural`. */
  async all(): Promise<ReadonlyMap<string, number>> {
    if (this.#counted) return this.#counts;
    this.#counting ??= this.#count().finally(() => {
      this.#counting = undefined;
    });
    await this.#counting;
    return this.#counts;
  }

  /** To be called with every durable change, in version order. */
  committed(changes: readonly Change[]): void {
    if (this.#counted) for (const change of changes) this.#follow(change);
    else this.#early.push(...changes.filter(({ type }) => type !== 'MODIFIED'));
  }

  async #count(): Promise<void> {
    // earlier changes are in the version that is counted
    this.#early = [];
    await this.#at(async ({ snapshot, version }) => {
      this.#counts.clear();
      const lt = prefixEnd(OBJECT_PREFIX);
      for (let gte = OBJECT_PREFIX; ; ) {
        const page = await snapshot.page({ gte, lt, keysOnly: true });
        for (const [key] of page) this.#add(kindOf(key), 1);
        const last = page.at(-1);
        if (page.length < DEFAULT_PAGE || last === undefined) break;
        gte = `${last[0]}\0`;
      }
      for (const change of this.#early) if (change.version > version) this.#follow(change);
      this.#early = [];
      this.#counted = true;
    });
  }

  #follow({ type, ref }: Change): void {
    if (type !== 'MODIFIED') this.#add(`${ref.group}/${ref.plural}`, type === 'ADDED' ? 1 : -1);
  }

  #add(kind: string, by: number): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + by);
  }
}

function kindOf(key: string): string {
  const { group, plural } = refOfKey(key);
  return `${group}/${plural}`;
}

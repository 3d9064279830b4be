/** Limits how often each caller may do something. Pure, apart from the clock that it is given. */

export interface BucketLimits {
  /** Calls allowed at once. */
  burst: number;
  /** Calls regained per second. */
  perSecond: number;
  /** Callers remembered. Beyond this, the one that has been quiet longest is forgotten. */
  maxCallers: number;
}

export class TokenBuckets {
  readonly #limits: BucketLimits;
  readonly #now: () => number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(limits: BucketLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** True if `caller` may go on now. */
  take(caller: string): boolean {
    const { burst, perSecond, maxCallers } = this.#limits;
    const now = this.#now();
    const bucket = this.#buckets.get(caller) ?? { tokens: burst, at: now };
    // Removed and added again, so that the first in the map is the one that has been quiet longest.
    this.#buckets.delete(caller);
    this.#buckets.set(caller, bucket);
    const oldest = this.#buckets.keys().next().value;
    if (this.#buckets.size > maxCallers && oldest !== undefined) this.#buckets.delete(oldest);
    bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1_000) * perSecond);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}

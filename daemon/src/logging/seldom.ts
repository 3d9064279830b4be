/** A topic is logged at most once in this many milliseconds. */
const REST_MS = 60_000;
/** Topics tracked at once; any others share one entry. */
const MAX_TOPICS = 1_024;
const OTHERS = '';

/** Added to a line: how often it was suppressed since it was last logged. */
export interface Unsaid {
  unsaid?: number;
}

/**
 * Logs each topic at most once a minute. It is for what others can cause at will and for what keeps recurring, such as a full disk:
 * a log filled by one thing tells nothing about anything else.
 */
export class Seldom {
  readonly #now: () => number;
  readonly #topics = new Map<string, { saidAt: number; unsaid: number }>();

  /** `now`: milliseconds of a monotonic clock. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Calls `say`, unless the topic was logged within the last minute. */
  say(topic: string, say: (unsaid: Unsaid) => void): void {
    const now = this.#now();
    const key = this.#hasRoomFor(topic, now) ? topic : OTHERS;
    const known = this.#topics.get(key);
    if (known !== undefined && now - known.saidAt < REST_MS) {
      known.unsaid += 1;
      return;
    }
    this.#topics.set(key, { saidAt: now, unsaid: 0 });
    say(known === undefined || known.unsaid === 0 ? {} : { unsaid: known.unsaid });
  }

  #hasRoomFor(topic: string, now: number): boolean {
    if (this.#topics.has(topic) || this.#topics.size < MAX_TOPICS) return true;
    for (const [key, { saidAt }] of this.#topics) if (now - saidAt >= REST_MS) this.#topics.delete(key);
    return this.#topics.size < MAX_TOPICS;
  }
}

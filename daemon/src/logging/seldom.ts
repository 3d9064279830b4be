/** The same is said once in so long. Milliseconds. */
const REST_MS = 60_000;
/** What is told apart; beyond, all counts as one. */
const MAX_TOPICS = 1_024;
const OTHERS = '';

/** With what is said: how often it was not, since it was said last. */
export interface Unsaid {
  unsaid?: number;
}

/** What others can cause as often as they like, or what a disk that stays full repeats, is logged once a minute each: a log that one thing fills tells nothing of all else. */
export class Seldom {
  readonly #now: () => number;
  readonly #topics = new Map<string, { saidAt: number; unsaid: number }>();

  /** `now`: milliseconds by a clock that nobody sets. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Has something said of a topic, unless it was within the last minute. */
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

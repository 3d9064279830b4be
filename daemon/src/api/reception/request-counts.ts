/** Counts requests, and how long they took until their answers began. All labels are constants of the program. */
import { type DurationCounts, Durations, LOCAL_BOUNDS } from '../../counting/durations.ts';

/**
 * Verbs as `begin` notes them. Other requests to objects, subresources and the daemon count as `action`; requests that never got
 * that far as `other`.
 */
const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const;
const WORDS: ReadonlySet<string> = new Set(VERBS);
export type RequestVerb = (typeof VERBS)[number] | 'action' | 'other';

/** Where a request came from: over HTTP, from a member for one of its users, or from this daemon on somebody's behalf. */
export type RequestOrigin = 'client' | 'member' | 'daemon';

export interface ApiFigures {
  requests: readonly { verb: RequestVerb; origin: RequestOrigin; status: number; count: number }[];
  durations: readonly { verb: RequestVerb; durations: DurationCounts }[];
  /** Open watches and other streaming answers. */
  streams: number;
}

export class RequestCounts {
  readonly #counts = new Map<string, { verb: RequestVerb; origin: RequestOrigin; status: number; count: number }>();
  readonly #durations = new Map<RequestVerb, Durations>();
  /** Returns the number of open streams; set by the part that counts them. */
  streams: () => number = () => 0;

  add(noted: string, origin: RequestOrigin, status: number, ms: number): void {
    const verb = verbOf(noted);
    const key = `${verb} ${origin} ${status}`;
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { verb, origin, status, count: 1 });
    else known.count += 1;
    let durations = this.#durations.get(verb);
    if (durations === undefined) {
      durations = new Durations(LOCAL_BOUNDS);
      this.#durations.set(verb, durations);
    }
    durations.add(ms);
  }

  figures(): ApiFigures {
    return {
      requests: [...this.#counts.values()].map((one) => ({ ...one })),
      durations: [...this.#durations].map(([verb, durations]) => ({ verb, durations: durations.counts() })),
      streams: this.streams(),
    };
  }
}

/** The label for a verb. For an action, the note is its method and its name, which a client may make up. */
function verbOf(noted: string): RequestVerb {
  if (isVerb(noted)) return noted;
  return noted.includes(' ') ? 'action' : 'other';
}

function isVerb(noted: string): noted is (typeof VERBS)[number] {
  return WORDS.has(noted);
}

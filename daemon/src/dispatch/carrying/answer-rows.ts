/**
 * Answers kept for other members until they can be passed on, in rows `h/a/DOMAIN/TARGET/STARTER/ID/INDEX`. Keeps one answer per part,
 * within the quotas of its target. A final answer replaces one that is not final.
 */
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { ANSWERS_BYTES, ANSWERS_PER_TARGET_BYTES, type AnswerFrame, answerFrame } from '../../../../protocol/orders/answer.ts';
import { DEFAULT_PAGE, type Kv, prefixEnd } from '../../store/kv.ts';
import { ANSWERS, ANSWERS_PER_TARGET, ROW_BYTES } from './limits.ts';

const ROWS = 'h/a/';
/** Rows per read: each may be as large as an answer. */
const PAGE = 16;

interface Known {
  final: boolean;
  until: number;
  bytes: number;
}

export class AnswerRows {
  readonly #kv: Kv;
  /** The kept answers, by row key without the prefix. */
  readonly #known = new Map<string, Known>();

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  /** Loads what an earlier daemon kept. */
  async open(): Promise<void> {
    for (let gte = ROWS; ; ) {
      const page = await this.#kv.page({ gte, lt: prefixEnd(ROWS), limit: PAGE });
      for (const [key, value] of page) {
        const answer = readRow(value);
        if (answer !== undefined) this.#known.set(key.slice(ROWS.length), knownOf(answer));
      }
      const last = page.at(-1);
      if (last === undefined) return;
      gte = `${last[0]}\0`;
    }
  }

  counts(): { answers: number; bytes: number } {
    return { answers: this.#known.size, bytes: this.#sum('').bytes };
  }

  /** Yields the unexpired answers of a domain. */
  async *of(domain: string, now: number): AsyncGenerator<AnswerFrame> {
    yield* this.#read((key) => key.startsWith(`${domain}/`), now);
  }

  /** Keeps an answer durably. Returns false if it is known already. Errors: QUOTA_EXCEEDED. */
  async keep(domain: string, answer: AnswerFrame): Promise<boolean> {
    const key = keyOf(domain, answer);
    const before = this.#known.get(key);
    if (before !== undefined && (before.final || !answer.final)) return false;
    const known = knownOf(answer);
    this.#assertRoom(domain, answer.target, known.bytes - (before?.bytes ?? 0), before === undefined ? 1 : 0);
    // Remembered before the write: if its predecessor is just being delivered, dropping that one must not drop this one as well.
    this.#known.set(key, known);
    try {
      await this.#kv.batch([{ type: 'put', key: ROWS + key, value: encodeCbor(answer) }], { sync: true });
    } catch (error) {
      if (before === undefined) this.#known.delete(key);
      else this.#known.set(key, before);
      throw error;
    }
    return true;
  }

  /** Yields the answers for one starter. */
  async *forStarter({ domain, key }: { domain: string; key: string }): AsyncGenerator<AnswerFrame> {
    yield* this.#read((row) => {
      const [of, , starter] = row.split('/');
      return of === domain && starter === key;
    }, 0);
  }

  /** Returns the domain and key of every starter that an answer is kept for. */
  starters(): { domain: string; key: string }[] {
    const found = new Map<string, { domain: string; key: string }>();
    for (const row of this.#known.keys()) {
      const [domain = '', , key = ''] = row.split('/');
      found.set(`${domain} ${key}`, { domain, key });
    }
    return [...found.values()];
  }

  /** Forgets an answer, unless a final one has replaced it meanwhile. */
  async drop(domain: string, answer: AnswerFrame): Promise<void> {
    const key = keyOf(domain, answer);
    if (this.#known.get(key)?.final !== answer.final) return;
    this.#known.delete(key);
    await this.#kv.batch([{ type: 'del', key: ROWS + key }], { sync: false });
  }

  /** Removes expired answers. */
  async sweep(now: number): Promise<void> {
    const over = [...this.#known].filter(([, { until }]) => until <= now).map(([key]) => key);
    for (let from = 0; from < over.length; from += DEFAULT_PAGE) {
      const keys = over.slice(from, from + DEFAULT_PAGE);
      await this.#kv.batch(
        keys.map((key) => ({ type: 'del', key: ROWS + key })),
        { sync: false },
      );
      for (const key of keys) this.#known.delete(key);
    }
  }

  async *#read(isWanted: (key: string) => boolean, now: number): AsyncGenerator<AnswerFrame> {
    for (const key of [...this.#known.keys()].filter(isWanted)) {
      const known = this.#known.get(key);
      const row = known === undefined || known.until <= now ? undefined : await this.#kv.get(ROWS + key);
      const answer = row === undefined ? undefined : readRow(row);
      if (answer !== undefined) yield answer;
    }
  }

  #assertRoom(domain: string, target: string, bytes: number, one: number): void {
    const own = this.#sum(`${domain}/${target}/`);
    const all = this.#sum('');
    const tooMuch =
      own.count + one > ANSWERS_PER_TARGET ||
      own.bytes + bytes > ANSWERS_PER_TARGET_BYTES ||
      all.count + one > ANSWERS ||
      all.bytes + bytes > ANSWERS_BYTES;
    if (tooMuch)
      throw new DtkdError('QUOTA_EXCEEDED', 'this node cannot keep more answers for other nodes', {
        next: 'Carry this file itself on to those nodes.',
      });
  }

  #sum(prefix: string): { count: number; bytes: number } {
    let count = 0;
    let bytes = 0;
    for (const [key, known] of this.#known) {
      if (!key.startsWith(prefix)) continue;
      count += 1;
      bytes += known.bytes;
    }
    return { count, bytes };
  }
}

function keyOf(domain: string, { target, starter, id, index }: AnswerFrame): string {
  return `${domain}/${target}/${starter}/${id}/${index.toString(16).padStart(4, '0')}`;
}

function knownOf({ final, until, sealed }: AnswerFrame): Known {
  return { final, until, bytes: sealed.length + ROW_BYTES };
}

/** Undefined if the row cannot be read. */
function readRow(bytes: Uint8Array): AnswerFrame | undefined {
  try {
    return decodeCbor(bytes, answerFrame, 'a row of answers');
  } catch {
    return undefined;
  }
}

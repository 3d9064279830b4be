/**
 * Notices that this machine's clock was set back, also while no daemon ran: grants that had ended by it count again. Keeps the latest time that was seen, and which grants those
 * are, and says so until they are gone or the clock is right again. Decides nothing: a clock that was ahead by mistake and is right now looks the same, and to go by the latest time
 * would end every grant then.
 */
import { z } from 'zod';
import { humanDuration } from '../../../protocol/text/age.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { Kv } from '../store/kv.ts';
import type { Audit } from './access.types.ts';
import type { FactBook } from './fact-book.ts';

const ROW = 'a/clock';
/** Between two looks. Milliseconds. */
const LOOK_MS = 60_000;
/** An NTP client that steps by less has only corrected what drifted. Milliseconds. */
const TOLERANCE_MS = 60_000;
/** The latest time is written down so often: a daemon at rest leaves the disk alone. Milliseconds. */
const WRITE_MS = 60 * 60 * 1000;
/** For so long it is told where no grant counts again. Milliseconds. */
const TOLD_MS = 24 * 60 * 60 * 1000;
/** Grants that are named. */
const MAX_NAMED = 3;

const row = z.object({
  /** Milliseconds since the epoch, as all here. */
  latest: z.number(),
  /** It was set back from one time to another; `uids` of grants that had ended, and did not count as ended any more. */
  back: z.object({ from: z.number(), to: z.number(), uids: z.array(z.string()) }).optional(),
});

export interface ClockWatchOptions {
  kv: Pick<Kv, 'get' | 'batch'>;
  book: Pick<FactBook, 'endingBetween'>;
  audit: Audit;
  now: () => number;
  /** Told when grants may count again. */
  onSetBack: () => void;
  logger: Logger;
}

export class ClockWatch {
  readonly #options: ClockWatchOptions;
  #seen: z.infer<typeof row> = { latest: 0 };
  #written = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ClockWatchOptions) {
    this.#options = options;
  }

  /** To be called once the grants are known. */
  async start(): Promise<void> {
    const bytes = await this.#options.kv.get(ROW);
    if (bytes !== undefined) this.#seen = row.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    await this.look();
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.look(true);
  }

  /** `last`: the latest time is written down in any case. Never rejects. */
  async look(last = false): Promise<void> {
    const now = this.#options.now();
    const { latest, back } = this.#seen;
    if (now < latest - TOLERANCE_MS) this.#setBack(Math.max(latest, back?.from ?? 0), now);
    else if (now > latest) this.#seen = { latest: now, ...(back === undefined || now >= back.from ? {} : { back }) };
    else if (!last) return;
    if (!last && this.#seen.back === back && this.#seen.latest - this.#written < WRITE_MS) return;
    this.#written = this.#seen.latest;
    const put = { type: 'put' as const, key: ROW, value: Buffer.from(JSON.stringify(this.#seen)) };
    await this.#options.kv
      .batch([put], { sync: true })
      .catch((err: unknown) => this.#options.logger.warn({ err }, 'The latest time could not be written down'));
  }

  /** What the operator should know, in sentences. */
  conditions(): string[] {
    const { back } = this.#seen;
    const now = this.#options.now();
    if (back === undefined || now >= back.from) return [];
    const again = this.#options.book.endingBetween(now, back.from).filter(({ uid }) => back.uids.includes(uid));
    if (again.length === 0 && now > back.to + TOLD_MS) return [];
    return [`${wordsOf(back)}: what had ended by it counts again${again.length === 0 ? '' : `, as ${namesOf(again)}`}`];
  }

  #setBack(from: number, to: number): void {
    const { book, audit, onSetBack, logger } = this.#options;
    const again = book.endingBetween(to, from);
    const back = { from, to, uids: again.map(({ uid }) => uid) };
    this.#seen = { latest: to, back };
    logger.warn(
      { from: new Date(from).toISOString(), grants: again.length },
      'The clock of this machine was set back: what had ended by it counts again',
    );
    const because = `${wordsOf(back)}${again.length === 0 ? '' : `; these count again: ${namesOf(again)}`}`;
    audit.record({ who: 'daemon', verb: 'clock', what: 'daemon', outcome: 'allowed', because });
    onSetBack();
  }
}

function wordsOf({ from, to }: { from: number; to: number }): string {
  return `the clock of this machine was set back by ${humanDuration(from - to)}, from ${new Date(from).toISOString()}`;
}

function namesOf(grants: readonly { source: string; name: string }[]): string {
  const named = grants.slice(0, MAX_NAMED).map(({ source, name }) => `${source} ${name}`);
  return `${named.join(', ')}${grants.length > MAX_NAMED ? ` and ${grants.length - MAX_NAMED} more` : ''}`;
}

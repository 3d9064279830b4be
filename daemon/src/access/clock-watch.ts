/**
 * Notices that this machine's clock was set back, even while no daemon ran, so that grants which had expired count again. Keeps the latest
 * time seen and the list of these grants, and reports them until they are gone or the clock has caught up. Does not overrule the clock: one
 * that was wrongly ahead and is right now looks the same, and going by the latest time would then end every grant too early.
 */
import { z } from 'zod';
import { humanDuration } from '../../../protocol/text/age.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { Kv } from '../store/kv.ts';
import type { Audit } from './access.types.ts';
import type { FactBook } from './fact-book.ts';

const ROW = 'a/clock';
/** Milliseconds between two looks. */
const LOOK_MS = 60_000;
/** Milliseconds: a smaller step back is an NTP client correcting drift. */
const TOLERANCE_MS = 60_000;
/** Milliseconds between writes of the latest time: seldom, so that a daemon at rest leaves the disk alone. */
const WRITE_MS = 60 * 60 * 1000;
/** Milliseconds for which a step back is reported if no grant counts again. */
const TOLD_MS = 24 * 60 * 60 * 1000;
/** Grants that a report names. */
const MAX_NAMED = 3;

const row = z.object({
  /** Milliseconds since the epoch, as all times here. */
  latest: z.number(),
  /** The clock was set back `from` one time `to` another; `uids` are the grants that had expired and count again. */
  back: z.object({ from: z.number(), to: z.number(), uids: z.array(z.string()) }).optional(),
});

export interface ClockWatchOptions {
  kv: Pick<Kv, 'get' | 'batch'>;
  book: Pick<FactBook, 'endingBetween'>;
  audit: Audit;
  now: () => number;
  /** Called when grants may count again. */
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

  /** Call it once the grants are known. */
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

  /** With `last`, the latest time is written in any case. Never rejects. */
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
      .catch((err: unknown) => this.#options.logger.warn({ err }, 'The latest time could not be stored'));
  }

  /** Conditions to report to the operator, in sentences. */
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

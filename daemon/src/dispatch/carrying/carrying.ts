/**
 * Carries orders and answers between members that never connect: exports those of this node and of the members that it reaches, and
 * imports what was carried here. Owns the rows `h/a/…`: answers kept for others. Guarantees that an answer is believed only from the
 * target that signed it, and that others cannot fill this node. Does not judge orders (holding and the target do) or settle parts (their
 * drivers do).
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { AnswerFrame } from '../../../../protocol/orders/answer.ts';
import type { CancelFrame, OrderFrame } from '../../../../protocol/orders/carry.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Kv } from '../../store/kv.ts';
import type { Members } from '../dispatch.types.ts';
import type { Executions } from '../execution/executions.types.ts';
import { Errands } from '../hold/errands.ts';
import type { Holding } from '../hold/hold.types.ts';
import type { Target } from '../target/target.types.ts';
import { isAnswered, unboxAnswer } from './answer-box.ts';
import { AnswerRows } from './answer-rows.ts';
import { type CarriedFrame, Gathering } from './gathering.ts';
import { MAX_ANSWER_LIFETIME_MS, OWN_OUTPUT_BYTES, SWEEP_MS, TOLD_OUTPUT_BYTES } from './limits.ts';
import { ownAnswers } from './own-answers.ts';
import { Sifting } from './sifting.ts';

export interface CarryingOptions {
  members: Members;
  holding: Pick<Holding, 'carry' | 'takeCarried' | 'neverTaken' | 'answered'>;
  target: Pick<Target, 'ended' | 'known'>;
  executions: Pick<Executions, 'answered'>;
  /** Rows `h/a/…`. */
  rows: Kv;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
  /** How long one member may take to send what it has. Milliseconds; default: TELL_MS. */
  tellMs?: number | undefined;
}

/** A domain, and this node's key in it. */
export interface At {
  domain: string;
  self: string;
}

export type Taken = 'taken' | 'known' | { refused: { code: string; message: string } };

export class Carrying {
  readonly #options: CarryingOptions;
  readonly #answers: AnswerRows;
  readonly #gathering: Gathering;
  /** Brings answers that came in files to starters that can be reached from here. */
  readonly #errands: Errands;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CarryingOptions) {
    this.#options = options;
    this.#answers = new AnswerRows(options.rows);
    this.#gathering = new Gathering({
      ...options,
      own: (domain, what) => this.#own(domain, what),
      take: (domain, answer) => this.#takeDelivered(domain, answer),
    });
    this.#errands = new Errands({ ...options, run: (to) => this.#bring(to) });
  }

  async start(): Promise<void> {
    const { now, logger } = this.#options;
    await this.#answers.open();
    await this.#answers.sweep(now());
    this.#gathering.start();
    for (const starter of this.#answers.starters()) this.#errands.want(starter);
    this.#errands.start();
    this.#timer = setInterval(() => {
      this.#answers.sweep(now()).catch((error: unknown) => logger.warn({ err: error }, 'Expired answers could not be removed'));
    }, SWEEP_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#gathering.stop();
    await this.#errands.stop();
  }

  /** Yields the orders and cancellations that this node and the reachable members keep, each once. */
  async *orders({ domain }: At, signal: AbortSignal): AsyncGenerator<OrderFrame | CancelFrame> {
    const sifting = new Sifting(this.#options.members, domain);
    for await (const frame of this.#options.holding.carry(domain)) if (sifting.own(frame)) yield frame;
    for await (const frame of this.#gathering.from(domain, 'orders', signal)) {
      if (frame.type !== 'answer' && sifting.told(frame, this.#options.now())) yield frame;
    }
  }

  /** Yields this node's own answers, those that it keeps for others, and those of the reachable members. */
  async *answers(at: At, signal: AbortSignal): AsyncGenerator<AnswerFrame> {
    const sifting = new Sifting(this.#options.members, at.domain);
    for await (const frame of this.#ownAndKept(at, OWN_OUTPUT_BYTES)) if (sifting.own(frame)) yield frame;
    for await (const frame of this.#gathering.from(at.domain, 'answers', signal)) {
      if (frame.type === 'answer' && sifting.told(frame, this.#options.now())) yield frame;
    }
  }

  async takeOrder(at: At, order: OrderFrame | CancelFrame): Promise<Taken> {
    return orRefused(() => this.#options.holding.takeCarried(at, order));
  }

  async takeAnswer(at: At, answer: AnswerFrame): Promise<Taken> {
    return orRefused(() => this.#takeAnswer(at, answer));
  }

  async #takeAnswer({ domain, self }: At, answer: AnswerFrame): Promise<'taken' | 'known'> {
    const { members, holding, executions, now } = this.#options;
    const { starter, target, id, index, until } = answer;
    if (target === self) return 'known';
    if (members.byKey(domain, target) === undefined)
      throw new DtkdError('NOT_A_MEMBER', 'the node that answers is not a member known here');
    if (!isAnswered(domain, answer)) throw new DtkdError('SIGNATURE_INVALID', 'the answer is not from the node that it names');
    let taken: 'taken' | 'known';
    if (starter === self) {
      const body = await unboxAnswer(members, domain, answer);
      taken = await executions.answered({ domain, target }, { id, index }, body);
    } else {
      if (members.byKey(domain, starter) === undefined)
        throw new DtkdError('NOT_A_MEMBER', 'the node that the answer is for is not a member known here');
      if (until <= now()) throw new DtkdError('ORDER_EXPIRED', 'nobody waits for the answer any more');
      if (until > now() + 2 * MAX_ANSWER_LIFETIME_MS) throw new DtkdError('ORDER_INVALID', 'answers are not kept that long');
      taken = (await this.#answers.keep(domain, answer)) ? 'taken' : 'known';
      this.#errands.want({ domain, key: starter });
    }
    // The target has decided, so nobody needs to bring the order any more.
    await holding.answered({ domain, starter, target, id, index });
    return taken;
  }

  /** Takes an answer that another member got from a file and brings to this node as its starter. */
  async #takeDelivered(domain: string, answer: AnswerFrame): Promise<void> {
    const self = this.#options.members.list().find((member) => member.domain === domain)?.selfKey;
    if (self === undefined || answer.starter !== self) throw new DtkdError('ORDER_INVALID', 'the answer is for another node');
    await this.#takeAnswer({ domain, self }, answer);
  }

  /**
   * Brings a starter the answers kept for it. Returns true if none is left. An answer that the starter refuses for now does not hold up
   * the others.
   */
  async #bring(to: { domain: string; key: string }): Promise<boolean> {
    let done = true;
    for await (const answer of this.#answers.forStarter(to)) {
      const said = await this.#gathering.deliver(to, answer);
      // The starter cannot be reached: the other answers wait as well.
      if (said === undefined) return false;
      if (said.type === 'refused' && !isFinal(said.code)) done = false;
      else await this.#answers.drop(to.domain, answer);
    }
    return done;
  }

  async *#own(domain: string, what: 'orders' | 'answers'): AsyncGenerator<CarriedFrame> {
    if (what === 'orders') yield* this.#options.holding.carry(domain);
    const self = this.#options.members.list().find((member) => member.domain === domain)?.selfKey;
    if (what === 'answers' && self !== undefined) yield* this.#ownAndKept({ domain, self }, TOLD_OUTPUT_BYTES);
  }

  async *#ownAndKept(at: At, outputBytes: number): AsyncGenerator<AnswerFrame> {
    yield* ownAnswers(this.#options, at, outputBytes);
    yield* this.#answers.of(at.domain, this.#options.now());
  }
}

/** After any other refusal the answer is brought again. */
function isFinal(code: string): boolean {
  return ['SIGNATURE_INVALID', 'FRAME_INVALID', 'ORDER_INVALID', 'NOT_FOUND', 'GONE'].includes(code);
}

/** Turns errors about the answer or order into a refusal. A failure of this node itself, such as a full disk, is thrown. */
async function orRefused(take: () => Promise<'taken' | 'known'>): Promise<Taken> {
  try {
    return await take();
  } catch (error) {
    if (!(error instanceof DtkdError) || error.code === 'DISK_FULL' || error.code === 'INTERNAL') throw error;
    return { refused: { code: error.code, message: error.message } };
  }
}

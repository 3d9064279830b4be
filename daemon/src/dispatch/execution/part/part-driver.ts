/**
 * Brings one order to its target and follows the part through lost connections, restarts and false answers. Guarantees that a part ends
 * with exactly one outcome, which changes only from `unknown` to what was found out, and that nothing is told to a target after its part
 * has been given up. Does not decide when its turn is (run/), nor what happens to its output (output/).
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { DispatchRequest } from '../../../../../protocol/orders/messages.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import { MAX_STRIKES } from '../limits.ts';
import { Collecting } from '../output/collecting.ts';
import { Approach } from './approach.ts';
import { type CarriedAnswer, carriedConversation } from './carried-conversation.ts';
import type { Conversation } from './conversation.ts';
import { type Ear, type Heard, listen } from './listening.ts';
import type { DriverOptions, Holder } from './part-driver.types.ts';
import { away, endedPart } from './part-end.ts';
import { Patience } from './patience.ts';
import { type AbortTold, tellAbort } from './tell-abort.ts';
import type { Evidence } from './verdict.ts';

export class PartDriver {
  readonly #options: DriverOptions;
  readonly #patience = new Patience();
  readonly #turnOver = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  readonly #ear: Ear;
  readonly #collecting: Collecting;
  #part: Part;
  /** What the target last said of the part. */
  #word: Part | undefined;
  /** Bytes of the order may have been sent by this daemon or an earlier one. */
  #told = false;
  /** An order was sent and not answered, or not yet: the target may have taken it. */
  #maybeTaken = false;
  /** Why the target has not taken the order so far: it is too busy. */
  #busy: { code: string; message: string } | undefined;
  #lost = false;
  /** When the target first said that it knows nothing of the part, by the clock of this process. */
  #unknownAt: number | undefined;
  #aborted = false;
  /** Why the target is not to be told any more. */
  #dismissed: 'aborted' | 'stopped' | 'restarted' | 'late' | undefined;
  /** The result has been published; only the truth about an `unknown` one is still looked for. */
  #settling = false;
  #following = false;
  readonly #approach: Approach;
  /** True if nothing is looked for any more. */
  #finished = false;
  /** The target's report that was carried here in a file, until it is taken. */
  #answer: CarriedAnswer | undefined;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#part = options.part;
    this.#approach = new Approach({ line: options.line, timing: options.timing, patience: this.#patience });
    this.#collecting = new Collecting({ ...options, index: options.part.index });
    this.#ear = {
      id: options.id,
      index: options.part.index,
      hasEnded: () => this.#word?.state === 'ended',
      hasAll: () => this.#collecting.hasAll(this.#word?.offset),
      hear: (part) => this.#hear(part),
      take: (offset, records) => this.#collecting.take(offset, records),
    };
    if (this.#part.state === 'ended') this.#turnOver.resolve();
  }

  /** The present state. Each change replaces the object. */
  get part(): Part {
    return this.#part;
  }

  /** The target was told, the part has not ended, and there is no contact. */
  get lost(): boolean {
    return this.#lost && this.#part.state !== 'ended';
  }

  /** Bytes of output collected so far. */
  get offset(): number {
    return this.#collecting.offset;
  }

  /** How many of them the command wrote; undefined if that is not counted. */
  get printed(): number | undefined {
    return this.#collecting.printed;
  }

  /**
   * Resolves when the next target may have its turn: this part has ended, its order is held for later, or contact has been lost for long.
   */
  get turnOver(): Promise<void> {
    return this.#turnOver.promise;
  }

  /** Resolves when there is nothing more to find out. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  get #ended(): boolean {
    return this.#part.state === 'ended';
  }

  /** The order is held for the target. */
  get #held(): boolean {
    return this.#part.state === 'queued' && this.#options.relayed !== true;
  }

  /** Ends the part without telling anybody, if it has not been told. */
  dismiss(why: 'aborted' | 'stopped' | 'restarted' | 'late'): void {
    if (this.#told || this.#part.state !== 'waiting') return;
    // while the target is being reached, the part ends when that is over: nothing is sent after this
    this.#dismissed ??= why;
    if (this.#following) return;
    this.#end({ is: 'never-told', why });
    this.#finish();
  }

  /**
   * Opens a stream ahead of the part's turn. If `ready`, the target makes the order ready on it; otherwise nothing is said before the
   * turn.
   */
  approach(ready = false): void {
    if (this.#part.state !== 'waiting' || this.#following) return;
    const { order } = this.#options;
    this.#approach.begin(ready && order !== undefined ? { type: 'prepare', ...this.#who(), ...broughtOf(order()) } : undefined);
  }

  /** Starts the part's turn. Resolves with `turnOver`; never rejects. */
  async tell(): Promise<void> {
    if (this.#part.state === 'waiting' && !this.#following) {
      if (this.#options.now() >= this.#options.notAfter) this.dismiss('late');
      else this.#run(this.#bring());
    }
    return this.turnOver;
  }

  /** Goes on with a part whose target was told before. */
  resume(): void {
    if (this.#part.state === 'ended' && this.#part.outcome !== 'unknown') {
      this.#finish();
      return;
    }
    this.#told = true;
    this.#settling = this.#part.state === 'ended';
    if (this.#held) this.#turnOver.resolve();
    this.#limitTime();
    this.#run(this.#follow(undefined));
  }

  /**
   * Stops waiting. The part ends `unknown`, and its true outcome is still looked for; or `refused`, if all that the target said is that
   * it is too busy to take the order.
   */
  giveUp(why: 'lost' | 'deadline' | 'gone'): void {
    if (this.#part.state === 'ended' || !this.#told) return;
    this.#settling = true;
    const heard = this.#word !== undefined;
    const refused = this.#busy !== undefined && !heard && !this.#maybeTaken;
    this.#end(refused && this.#busy !== undefined ? { is: 'not-taken', ...this.#busy } : { is: 'silent', why, heard });
    this.#patience.look();
  }

  /** Makes the target end the part, or not begin it. Says why if that failed. */
  async abort(): Promise<AbortTold> {
    if (this.#part.state === 'ended') return { told: true };
    this.#aborted = true;
    if (this.#part.state === 'waiting' && !this.#told) {
      this.dismiss('aborted');
      await this.turnOver;
    }
    if (this.#held) return this.#takeBack();
    return this.#ended ? { told: true } : this.#tellAbort();
  }

  /**
   * Takes a report of the target that did not come over a connection; it counts as if the target had been asked. False if there is
   * nothing left to find out.
   */
  answered(answer: CarriedAnswer): boolean {
    if (this.#part.state === 'ended' && this.#part.outcome !== 'unknown') return false;
    this.#answer = answer;
    if (this.#finished) {
      // only one follower at a time: two that take the same output would write it twice
      this.#finished = false;
      this.#run(this.#follow(undefined));
    } else this.#patience.look();
    return true;
  }

  /** Asks the target now, since it may have received the held order. */
  look(): void {
    this.#patience.look();
  }

  /** Stops following. Does not end what runs at the target. */
  close(): void {
    this.#patience.end();
    this.#approach.leave();
    this.#turnOver.resolve();
    this.#over.resolve();
  }

  #run(work: Promise<void>): void {
    this.#following = true;
    work
      .catch((error: unknown) => {
        this.#options.logger.warn({ err: error, id: this.#options.id, index: this.#part.index }, 'A part could not be followed');
        this.giveUp('lost');
      })
      .finally(() => this.#finish());
  }

  #finish(): void {
    if (this.#part.state !== 'ended' && !this.#patience.isOver) return;
    this.#finished = true;
    this.#approach.leave();
    this.#patience.clear();
    this.#turnOver.resolve();
    this.#over.resolve();
  }

  async #bring(): Promise<void> {
    const { line, note, part, holder } = this.#options;
    note('telling', `Connecting to ${part.node} ...`);
    const reached = await this.#approach.reach();
    if (this.#patience.isOver) return;
    if (this.#dismissed !== undefined) {
      if ('conversation' in reached) reached.conversation.close();
      this.#end({ is: 'never-told', why: this.#dismissed });
    } else if ('conversation' in reached) {
      this.#told = true;
      this.#limitTime();
      await this.#follow(reached.conversation);
    } else if (holder !== undefined && !line.maybeThere()) {
      await this.#hold(holder, reached.error);
    } else {
      this.#end(away(reached.error));
    }
  }

  async #hold(holder: Holder, error: unknown): Promise<void> {
    try {
      const { holders } = await holder.deposit();
      if (holders.length === 0) throw new DtkdError('PEER_AWAY', 'no member could hold the order');
      this.#told = true;
      this.#become({ ...this.#part, state: 'queued', holders: holders.slice(0, 16) });
      this.#options.note('waiting', `${this.#part.node} is away: the order is held by ${holders.join(', ')}`);
      this.#turnOver.resolve();
    } catch (cause) {
      this.#options.logger.debug({ err: cause, node: this.#part.node }, 'An order could not be held');
      const evidence = away(error);
      const why = cause instanceof DtkdError ? ` (not held: ${cause.message})` : '';
      this.#end({ ...evidence, message: evidence.message + why });
      return;
    }
    await this.#follow(undefined);
  }

  /** Follows the part until it has ended and all is known, or until nothing more can be found out. */
  async #follow(first: Conversation | undefined): Promise<void> {
    let conversation = first;
    let attempt = -1;
    let strikes = 0;
    while (!this.#patience.isOver) {
      if (conversation === undefined) {
        attempt = (await this.#rest(attempt + 1)) ? -1 : attempt + 1;
        if (this.#isGone()) this.giveUp('gone');
        conversation = this.#carriedConversation();
        if (conversation === undefined) {
          if (this.#isOver()) return;
          conversation = await this.#options.line.open(this.#patience.within(this.#options.timing.connectMs)).catch(() => undefined);
        }
        if (conversation === undefined) continue;
      }
      const before = this.#word;
      const heard = await this.#converse(conversation);
      conversation = undefined;
      if (this.#patience.isOver) return;
      if (this.#word !== before) attempt = -1;
      strikes += heard.was === 'untrue' ? 1 : 0;
      if (heard.was === 'untrue' && strikes >= MAX_STRIKES) {
        this.#end(this.#endedWord() ?? { is: 'untrue', message: heard.error.message });
        return;
      }
      if (await this.#isConcluded(heard)) return;
    }
  }

  /** The carried report as a conversation, the first time only. */
  #carriedConversation(): Conversation | undefined {
    const answer = this.#answer;
    this.#answer = undefined;
    return answer === undefined ? undefined : carriedConversation(this.#options.id, answer);
  }

  async #converse(conversation: Conversation): Promise<Heard> {
    const stop = () => conversation.close();
    this.#patience.signal.addEventListener('abort', stop, { once: true });
    try {
      if (this.#aborted && this.#part.state !== 'ended') await this.#tellAbort();
      const request = this.#request();
      const before = this.#maybeTaken;
      this.#maybeTaken ||= request.type === 'order';
      const heard = await listen(conversation, request, this.#ear, this.#options.timing);
      if (heard.was !== 'lost' && heard.was !== 'untrue') this.#maybeTaken = before;
      return heard;
    } finally {
      this.#patience.signal.removeEventListener('abort', stop);
      conversation.close();
    }
  }

  /** Draws the conclusion from a conversation. True if there is nothing more to find out. */
  async #isConcluded(heard: Heard): Promise<boolean> {
    const { id, logger } = this.#options;
    switch (heard.was) {
      case 'ended':
        await this.#endAsTold();
        return true;
      case 'not-taken':
        // it may have taken an order that was brought earlier, and be unable to say so now
        if (this.#maybeTaken && !isOfTheOrderItself(heard.code)) {
          this.#lose();
          return false;
        }
        this.#end({ is: 'not-taken', code: heard.code, message: heard.message });
        return true;
      case 'not-known':
        return this.#notKnown();
      case 'no-such-offset':
        logger.warn({ id, node: this.#part.node, offset: this.offset }, 'The target has less output than was collected');
        this.#collecting.stop();
        return false;
      case 'busy':
        this.#busy = { code: heard.code, message: heard.message };
        // given up meanwhile, so the order is not brought again
        if (this.#settling && !this.#maybeTaken) {
          this.#end({ is: 'not-taken', ...this.#busy });
          return true;
        }
        this.#lose();
        return false;
      case 'lost':
      case 'untrue':
        this.#lose();
        return false;
    }
  }

  #notKnown(): boolean {
    if (this.#held) return false;
    const over = this.#options.now() > this.#options.notAfter;
    const heard = this.#word !== undefined || this.#part.startedAt !== undefined;
    if (!heard && !over && this.#mayBring()) return false;
    if (this.#part.state === 'waiting' && !over && this.#options.order === undefined) {
      // an earlier daemon may have told the target just before it ended: what was on its way then gets time to arrive
      this.#unknownAt ??= performance.now();
      if (performance.now() - this.#unknownAt < this.#options.timing.answerMs) return false;
      this.#end({ is: 'never-told', why: 'restarted' });
      return true;
    }
    this.#end({ is: 'not-known-there', heard, over });
    this.#settling = true;
    return heard || over;
  }

  /** The order, as long as it may still be brought; after that, a question about the part's state. */
  #request(): DispatchRequest {
    const { id, order } = this.#options;
    if (!this.#mayBring() || order === undefined) {
      return { type: 'attach', ...this.#who(), id, index: this.#part.index, offset: this.#collecting.from, follow: true };
    }
    return { type: 'order', ...this.#who(), offset: this.offset, ...broughtOf(order()) };
  }

  #who(): { user?: { name: string; uid: string } } {
    const { user } = this.#options;
    return user === undefined ? {} : { user };
  }

  /** Bringing the order again is safe, since a target starts it at most once, but not after somebody was told that the part is over. */
  #mayBring(): boolean {
    const { order, notAfter, now } = this.#options;
    const known = this.#word !== undefined || this.#settling || this.#aborted || this.#held;
    return order !== undefined && !known && now() < notAfter;
  }

  #hear(word: Part): void {
    this.#find();
    const before = this.#word;
    if (before?.state === 'ended') return;
    this.#word = word;
    if (this.#part.state === 'ended' || word.state === 'ended') return;
    const relayed = this.#options.relayed === true;
    const state = relayed || word.state === 'running' ? word.state : 'accepted';
    const { holders: _holders, ...part } = relayed ? { ...this.#part, reason: word.reason, paused: word.paused } : this.#part;
    this.#become({ ...part, state, ...(word.startedAt === undefined ? {} : { startedAt: word.startedAt }) });
    if (state !== before?.state) this.#limitTime(state === 'running');
  }

  #endedWord(): Evidence | undefined {
    return this.#word?.state === 'ended' ? { is: 'told-ended', part: this.#word } : undefined;
  }

  /** Ends the part as the target said, unless completing the work on this node changes the outcome. */
  async #endAsTold(): Promise<void> {
    const word = this.#word;
    if (word === undefined) return;
    const more = word.outcome === 'succeeded' ? await this.#options.complete?.(word) : undefined;
    this.#end(more ?? { is: 'told-ended', part: word }, word);
  }

  #end(evidence: Evidence, word?: Part): void {
    const { offset, printed } = this.#collecting;
    const ended = endedPart(this.#part, evidence, { word, offset, printed, now: this.#options.now() });
    if (ended === undefined) return;
    this.#become(ended);
    this.#patience.unlimit('time');
    this.#turnOver.resolve();
  }

  #become(part: Part): void {
    this.#part = part;
    this.#options.onChange('state');
  }

  #lose(): void {
    if (this.#lost || this.#part.state === 'ended' || this.#held) return;
    this.#lost = true;
    this.#options.note('lost', `Contact with ${this.#part.node} was lost; trying again`);
    this.#patience.limit('place', this.#options.timing.lostMs, () => this.#turnOver.resolve());
    this.#options.onChange('state');
  }

  #find(): void {
    if (!this.#lost) return;
    this.#lost = false;
    this.#patience.unlimit('place');
    this.#options.onChange('state');
  }

  /** Sets the time at which the part is given up, whatever the target says. */
  #limitTime(startsNow = false): void {
    if (this.#settling || this.#held) return;
    const { timing, timeoutMs, notAfter, now } = this.#options;
    const { startedAt } = this.#part;
    const from = startsNow ? now() : startedAt === undefined ? notAfter : Math.min(startedAt, now());
    // `startedAt` is by the target's clock, and this machine may have slept: there is always time for the target to answer
    this.#patience.limit('time', Math.max(from + timeoutMs - now(), 0) + timing.graceMs, () => this.giveUp('deadline'));
  }

  /** True if nothing is looked for any more. */
  #isOver(): boolean {
    const { now, notAfter, settleUntil, self, holder } = this.#options;
    if (this.#patience.isOver) return true;
    if (this.#held && now() > notAfter) {
      this.#settling = true;
      const others = (this.#part.holders ?? []).filter((one) => one !== self);
      this.#end({ is: 'held-too-long', others: holder?.mayHaveDelivered() === false ? others : [...others, self] });
    }
    if (this.#part.state !== 'ended') return false;
    return this.#part.outcome !== 'unknown' || now() > settleUntil;
  }

  /** True if nobody is to wait for the target any more. A held order goes its own way. */
  #isGone(): boolean {
    return !this.#ended && !this.#held && this.#options.line.isGone();
  }

  /** Waits before the next attempt. True if the target may be reachable again, or is gone for good. */
  #rest(attempt: number): Promise<boolean> {
    if (this.#answer !== undefined) return Promise.resolve(true);
    const { timing, line: target, notAfter, now } = this.#options;
    const line = { onChange: target.onChange, maybeThere: () => target.maybeThere() || this.#isGone() };
    const wait = this.#settling || this.#held ? timing.settlingMs : timing.backoffMs;
    const most = this.#held ? Math.max(1, notAfter - now() + 1) : Number.POSITIVE_INFINITY;
    return this.#patience.before(attempt, line, { ...wait, most });
  }

  async #takeBack(): Promise<AbortTold> {
    const holders = [...(this.#part.holders ?? ['its holders'])];
    const notReached = await this.#options.holder?.cancel().then(
      (answer) => answer.notReached,
      () => holders,
    );
    this.#settling = true;
    this.#end({ is: 'taken-back', notReached: notReached ?? holders });
    this.#patience.look();
    if (notReached?.length === 0) return { told: true };
    return { told: false, reason: `held by ${(notReached ?? holders).join(', ')}, which could not be told` };
  }

  #tellAbort(): Promise<AbortTold> {
    const { timing, line, id, user } = this.#options;
    const { node, index } = this.#part;
    const hasEnded = () => this.#ended;
    return tellAbort({
      line,
      node,
      user,
      id,
      index,
      timing,
      hasEnded,
      signal: this.#patience.within(timing.abortMs),
      pause: this.#patience.pause,
    });
  }
}

function broughtOf({ order, bundle }: { order: Uint8Array; bundle?: Uint8Array }) {
  return { order: Uint8Array.from(order), ...(bundle === undefined ? {} : { bundle: Uint8Array.from(bundle) }) };
}

/** Refusals that depend on the bytes of an order alone: earlier copies were not taken, either. */
function isOfTheOrderItself(code: string): boolean {
  return code === 'ORDER_INVALID' || code === 'FRAME_INVALID' || code === 'FRAME_TOO_LARGE';
}

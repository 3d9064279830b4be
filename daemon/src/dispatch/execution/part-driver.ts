/**
 * Brings one order to its target and follows what becomes of it, through lost connections, restarts and lies. Guarantees that a part ends with exactly one
 * outcome, which only ever changes from `unknown` to what was found out; that output is collected without gap or repetition; and that nothing is told to a
 * target after its part has been given up. Does not decide when its turn is (run.ts).
 */
import { DtkdError, isErrorCode } from '../../../../protocol/errors.ts';
import type { DispatchEvent, DispatchRequest } from '../../../../protocol/orders/messages.ts';
import type { Part } from '../../../../protocol/orders/outcome.ts';
import type { DispatchLogger } from '../dispatch.types.ts';
import { Bell } from './bell.ts';
import type { OutputSink } from './collected.ts';
import type { Conversation } from './conversation.ts';
import { MAX_IGNORED, MAX_OFFSET, MAX_STRIKES, type Timing } from './limits.ts';
import { readRecords } from './records.ts';
import { type Evidence, verdictOf } from './verdict.ts';

/** How a target is reached. */
export interface Line {
  /** Errors: PEER_AWAY, TIMEOUT: it has heard nothing. */
  open(signal: AbortSignal): Promise<Conversation>;
  /** False if it is known to be away now. */
  maybeThere(): boolean;
  /** Calls back when that may have changed. */
  onChange(listener: () => void): () => void;
}

export interface Holder {
  deposit(): Promise<{ holders: string[] }>;
  cancel(): Promise<{ notReached: string[] }>;
}

export interface DriverOptions {
  id: string;
  /** As it stands: at the beginning, or as it was found. */
  part: Part;
  /** This node itself, as it is named among holders. */
  self: string;
  line: Line;
  sink: OutputSink;
  /** In whose name; absent for the operator, who is nobody elsewhere. */
  user: { name: string; uid: string } | undefined;
  /** What is brought. Absent: it can only be asked for, since what was told once is not known any more. */
  order?: () => { order: Uint8Array; bundle?: Uint8Array };
  /** Who is asked may only tell what it was told itself: its words pass as they are. */
  relayed?: boolean;
  /** Where it may be held while the target is away. */
  holder?: Holder;
  /** Milliseconds since the epoch. */
  notAfter: number;
  settleUntil: number;
  timeoutMs: number;
  timing: Timing;
  now(): number;
  logger: DispatchLogger;
  /** `state`: how it stands has changed; else there is more output. */
  onChange(what: 'state' | 'output'): void;
  note(event: 'telling' | 'lost' | 'waiting', text: string): void;
  /** Called with what ended well, before it is told to anybody; may say that it did not after all. */
  complete?(part: Part): Promise<Evidence | undefined>;
}

/** What one conversation came to. */
type Heard =
  | { was: 'ended' }
  | { was: 'lost'; error?: unknown }
  | { was: 'untrue'; error: DtkdError }
  | { was: 'not-known' }
  | { was: 'no-such-offset' }
  | { was: 'not-taken'; code: string; message: string };

export class PartDriver {
  readonly #options: DriverOptions;
  readonly #bell = new Bell();
  readonly #gone = new AbortController();
  readonly #turnOver = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  #part: Part;
  /** The target's last word. */
  #word: Part | undefined;
  #told = false;
  /** Contact was lost at that time, by the clock of this process. */
  #lostAt: number | undefined;
  /** The target said at that time that it knows nothing of it. */
  #unknownAt: number | undefined;
  #aborted = false;
  /** It is not to be told any more. */
  #dismissed: 'aborted' | 'stopped' | 'restarted' | 'late' | undefined;
  /** What it came to is published; only the truth about an unknown one is still looked for. */
  #settling = false;
  /** Output is not collected any more: the target does not have what is missing. */
  #deaf = false;
  #limit: NodeJS.Timeout | undefined;
  #place: NodeJS.Timeout | undefined;
  #following = false;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#part = options.part;
    if (this.#part.state === 'ended') this.#turnOver.resolve();
  }

  /** As it stands. Another object after each change. */
  get part(): Part {
    return this.#part;
  }

  /** Told, not ended, and without contact. */
  get lost(): boolean {
    return this.#lostAt !== undefined && this.#part.state !== 'ended';
  }

  /** Bytes of output that were collected. */
  get offset(): number {
    return this.#options.sink.offset;
  }

  /** Its order is held for it. */
  get #held(): boolean {
    return this.#part.state === 'queued' && this.#options.relayed !== true;
  }

  /** Resolves when the next target may have its turn: this one has ended, is held for later, or has been lost for long. */
  get turnOver(): Promise<void> {
    return this.#turnOver.promise;
  }

  /** Resolves when there is nothing more to find out. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Ends it without having told anybody. */
  dismiss(why: 'aborted' | 'stopped' | 'restarted' | 'late'): void {
    if (this.#told || this.#part.state !== 'waiting') return;
    // one that is just being reached ends where that is over: nothing is sent any more
    this.#dismissed ??= why;
    if (this.#following) return;
    this.#end({ is: 'never-told', why });
    this.#finish();
  }

  /** It is its turn. Resolves with `turnOver`. Never rejects. */
  async tell(): Promise<void> {
    if (this.#part.state !== 'waiting' || this.#following) return this.turnOver;
    if (this.#options.now() >= this.#options.notAfter) this.dismiss('late');
    else this.#run(this.#bring());
    return this.turnOver;
  }

  /** Goes on with what was told before. */
  resume(): void {
    if (this.#part.state === 'ended' && this.#part.outcome !== 'unknown') {
      this.#finish();
      return;
    }
    this.#told = true;
    this.#settling = this.#part.state === 'ended';
    if (this.#held) this.#turnOver.resolve();
    this.#arm();
    this.#run(this.#follow(undefined));
  }

  /** Nothing is waited for any longer: what is not known is `unknown`, and still looked for. */
  giveUp(why: 'lost' | 'deadline'): void {
    if (this.#part.state === 'ended' || !this.#told) return;
    this.#settling = true;
    this.#end({ is: 'silent', why, heard: this.#word !== undefined });
    this.#bell.ring();
  }

  /** Has it ended at its target, or not begun. Tells why it could not. */
  async abort(): Promise<{ told: true } | { told: false; reason: string }> {
    if (this.#part.state === 'ended') return { told: true };
    this.#aborted = true;
    if (this.#part.state === 'waiting' && !this.#told) {
      this.dismiss('aborted');
      await this.turnOver;
      return { told: true };
    }
    if (this.#held) return this.#takeBack();
    return this.#tellAbort();
  }

  /** Lets go of it: what goes on at the target is not ended. */
  close(): void {
    clearTimeout(this.#limit);
    clearTimeout(this.#place);
    this.#gone.abort();
    this.#bell.ring();
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
    if (this.#part.state !== 'ended' && !this.#gone.signal.aborted) return;
    clearTimeout(this.#limit);
    clearTimeout(this.#place);
    this.#turnOver.resolve();
    this.#over.resolve();
  }

  async #bring(): Promise<void> {
    const { line, note, part } = this.#options;
    note('telling', `Connecting to ${part.node} ...`);
    const conversation = await this.#reach().catch((error: unknown) => error);
    if (this.#gone.signal.aborted) return;
    if (this.#dismissed !== undefined) {
      if (isConversation(conversation)) conversation.close();
      this.#end({ is: 'never-told', why: this.#dismissed });
      return;
    }
    if (isConversation(conversation)) {
      this.#told = true;
      this.#arm();
      await this.#follow(conversation);
    } else if (this.#options.holder !== undefined && !line.maybeThere()) {
      await this.#hold(this.#options.holder, conversation);
    } else {
      this.#end(away(conversation));
    }
  }

  /** Opens a stream, as often as it fails within the time that a connection may take while the target seems to be there. */
  async #reach(): Promise<Conversation> {
    const { line, timing } = this.#options;
    const signal = AbortSignal.any([this.#gone.signal, AbortSignal.timeout(timing.connectMs)]);
    for (;;) {
      try {
        return await line.open(signal);
      } catch (error) {
        if (signal.aborted || !line.maybeThere()) throw error;
        await this.#pause(timing.backoffMs.first, signal);
        if (signal.aborted || !line.maybeThere()) throw error;
      }
    }
  }

  async #hold(holder: Holder, error: unknown): Promise<void> {
    try {
      const { holders } = await holder.deposit();
      if (holders.length === 0) throw new DtkdError('PEER_AWAY', 'it is away, and nobody could hold the order');
      this.#told = true;
      this.#become({ ...this.#part, state: 'queued', holders: holders.slice(0, 16) });
      this.#turnOver.resolve();
      this.#options.note('waiting', `${this.#part.node} is away: the order is held by ${holders.join(', ')}`);
    } catch (cause) {
      this.#options.logger.debug({ err: cause, node: this.#part.node }, 'An order could not be held');
      const why = cause instanceof DtkdError ? ` (not held: ${cause.message})` : '';
      const evidence = away(error);
      this.#end({ ...evidence, message: evidence.message + why });
      return;
    }
    if (this.#aborted) await this.#takeBack();
    await this.#follow(undefined);
  }

  /** Until it has ended and all is known; or what can be known is. */
  async #follow(first: Conversation | undefined): Promise<void> {
    let conversation = first;
    let attempt = 0;
    let strikes = 0;
    while (!this.#gone.signal.aborted) {
      if (conversation === undefined) {
        attempt = (await this.#wait(attempt)) ? 0 : attempt + 1;
        if (this.#isOver()) return;
        conversation = await this.#options.line.open(this.#within(this.#options.timing.connectMs)).catch(() => undefined);
        if (conversation === undefined) continue;
      }
      const before = this.#word;
      const heard = await this.#converse(conversation);
      conversation.close();
      conversation = undefined;
      if (this.#gone.signal.aborted) return;
      if (this.#word !== before) attempt = 0;
      if (heard.was === 'untrue') strikes += 1;
      if (strikes >= MAX_STRIKES && heard.was === 'untrue') {
        this.#end(this.#endedWord() ?? { is: 'untrue', message: heard.error.message });
        return;
      }
      if (await this.#concluded(heard)) return;
    }
  }

  /** What a conversation means. True if there is nothing more to find out. */
  async #concluded(heard: Heard): Promise<boolean> {
    switch (heard.was) {
      case 'ended':
        await this.#endAsTold();
        return true;
      case 'not-taken':
        this.#end({ is: 'not-taken', code: heard.code, message: heard.message });
        return true;
      case 'not-known':
        return this.#notKnown();
      case 'no-such-offset':
        this.#options.logger.warn(
          { id: this.#options.id, node: this.#part.node, offset: this.offset },
          'The target has less output than was collected',
        );
        this.#deaf = true;
        return false;
      default:
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
      // an earlier daemon may have told it just before it ended: what was on its way then has its time to come
      this.#unknownAt ??= performance.now();
      if (performance.now() - this.#unknownAt < this.#options.timing.answerMs) return false;
      this.#end({ is: 'never-told', why: 'restarted' });
      return true;
    }
    this.#end({ is: 'not-known-there', heard, over });
    this.#settling = true;
    return heard || over;
  }

  async #converse(conversation: Conversation): Promise<Heard> {
    const stop = () => conversation.close();
    this.#gone.signal.addEventListener('abort', stop, { once: true });
    try {
      if (this.#aborted && this.#part.state !== 'ended') await this.#tellAbort();
      return await this.#listen(conversation);
    } catch (error) {
      if (this.#endedWord() !== undefined && this.#tailIsThere()) return { was: 'ended' };
      if (error instanceof DtkdError && (error.code === 'FRAME_INVALID' || error.code === 'FRAME_TOO_LARGE'))
        return { was: 'untrue', error };
      if (error instanceof DtkdError) return { was: 'lost', error };
      throw error;
    } finally {
      this.#gone.signal.removeEventListener('abort', stop);
    }
  }

  async #listen(conversation: Conversation): Promise<Heard> {
    const { timing } = this.#options;
    const request = this.#request();
    await conversation.ask(request, timing.answerMs);
    let refusal: Extract<DispatchEvent, { type: 'error' }> | undefined;
    let heard = false;
    for (let ignored = 0; ignored <= MAX_IGNORED; ) {
      const ended = this.#endedWord() !== undefined;
      if (ended && this.#tailIsThere()) return { was: 'ended' };
      const event = await conversation.next(ended ? timing.tailMs : heard ? undefined : timing.answerMs);
      if (event === undefined) return { was: 'lost' };
      switch (event.type) {
        case 'part':
          if (event.id !== this.#options.id || event.part.index !== this.#part.index) {
            ignored += 1;
            break;
          }
          heard = true;
          this.#hear(event.part);
          break;
        case 'records':
          heard = true;
          await this.#take(event.offset, event.records);
          break;
        case 'error':
          refusal = event;
          break;
        case 'end':
          if (this.#endedWord() !== undefined) return { was: 'ended' };
          return refusal === undefined ? { was: 'lost' } : refused(request, refusal);
      }
    }
    return { was: 'untrue', error: new DtkdError('FRAME_INVALID', 'it tells of other executions') };
  }

  /** The order, as long as it may still be taken; else only how it goes. */
  #request(): DispatchRequest {
    const { id, user, order } = this.#options;
    const { offset } = this;
    const who = user === undefined ? {} : { user };
    if (this.#mayBring() && order !== undefined) {
      const { order: bytes, bundle } = order();
      return {
        type: 'order',
        ...who,
        order: Uint8Array.from(bytes),
        offset,
        ...(bundle === undefined ? {} : { bundle: Uint8Array.from(bundle) }),
      };
    }
    return { type: 'attach', ...who, id, index: this.#part.index, offset: this.#deaf ? 0 : offset, follow: true };
  }

  /** Bringing it again is safe, since it is started at most once; but not once somebody was told that it is over. */
  #mayBring(): boolean {
    const { order, notAfter, now } = this.#options;
    const known = this.#word !== undefined || this.#settling || this.#aborted || this.#held;
    return order !== undefined && !known && now() < notAfter;
  }

  #hear(word: Part): void {
    if (this.#lostAt !== undefined) {
      this.#lostAt = undefined;
      clearTimeout(this.#place);
      this.#options.onChange('state');
    }
    const before = this.#word;
    if (before?.state === 'ended') return;
    this.#word = word;
    if (this.#part.state === 'ended') return;
    if (word.state === 'running' && before?.state !== 'running') this.#arm(true);
    if (word.state === 'ended') return;
    const state = this.#options.relayed === true || word.state === 'running' ? word.state : 'accepted';
    const { holders: _holders, ...part } = this.#part;
    if (this.#held) this.#limit = undefined;
    this.#become({ ...part, state, ...(word.startedAt === undefined ? {} : { startedAt: word.startedAt }) });
  }

  async #take(offset: number, records: Uint8Array): Promise<void> {
    if (this.#deaf) return;
    const { sink } = this.#options;
    if (offset !== sink.offset) throw new DtkdError('FRAME_INVALID', `it sends output from ${offset} on, after ${sink.offset}`);
    if (sink.offset + records.length > MAX_OFFSET) throw new DtkdError('FRAME_TOO_LARGE', 'it sends more output than there can be');
    readRecords(records);
    try {
      await sink.append(records);
    } catch (error) {
      // what cannot be kept here is kept there; how it goes on is worth more
      this.#options.logger.warn({ err: error, id: this.#options.id, index: this.#part.index }, 'Output cannot be collected');
      this.#deaf = true;
    }
    this.#options.onChange('output');
  }

  #endedWord(): Evidence | undefined {
    return this.#word?.state === 'ended' ? { is: 'told-ended', part: this.#word } : undefined;
  }

  /** True if all output is here that the target says there is. */
  #tailIsThere(): boolean {
    return this.#deaf || (this.#word?.offset !== undefined && this.offset >= this.#word.offset);
  }

  /** The target's word counts; then what it takes for the work to be complete here. */
  async #endAsTold(): Promise<void> {
    const word = this.#word;
    if (word === undefined) return;
    const more = word.outcome === 'succeeded' ? await this.#options.complete?.(word) : undefined;
    this.#end(more ?? { is: 'told-ended', part: word }, word);
  }

  #end(evidence: Evidence, word?: Part): void {
    const before = this.#part;
    // once it is known, it is known
    if (before.state === 'ended' && before.outcome !== 'unknown') return;
    const verdict = verdictOf(evidence);
    if (before.state === 'ended' && verdict.outcome === 'unknown') return;
    const { holders, reason: _reason, code: _code, ...part } = before;
    this.#become({
      ...part,
      ...(verdict.outcome === 'unknown' && holders !== undefined ? { holders } : {}),
      ...factsOf(word),
      state: 'ended',
      ...verdict,
      ...(verdict.reason === undefined ? {} : { reason: verdict.reason.slice(0, 1_024) }),
      endedAt: word?.endedAt ?? this.#options.now(),
      ...(this.offset > 0 ? { offset: this.offset } : {}),
    });
    clearTimeout(this.#limit);
    this.#turnOver.resolve();
  }

  #become(part: Part): void {
    this.#part = part;
    this.#options.onChange('state');
  }

  #lose(): void {
    if (this.#lostAt !== undefined || this.#part.state === 'ended' || this.#held) return;
    this.#lostAt = performance.now();
    this.#options.note('lost', `Contact with ${this.#part.node} was lost; trying again`);
    this.#place = setTimeout(() => this.#turnOver.resolve(), this.#options.timing.lostMs);
    this.#place.unref();
    this.#options.onChange('state');
  }

  /** Sets the time at which it is given up, whatever the target says. */
  #arm(running = false): void {
    clearTimeout(this.#limit);
    if (this.#settling || this.#held) return;
    const { timing, timeoutMs, notAfter, now } = this.#options;
    const { startedAt } = this.#part;
    const from = running ? now() : startedAt === undefined ? notAfter : Math.min(startedAt, now());
    const ms = Math.max(0, from + timeoutMs + timing.graceMs - now());
    this.#limit = setTimeout(() => this.giveUp('deadline'), Math.min(ms, MAX_TIMER_MS));
    this.#limit.unref();
  }

  /** Nothing is looked for any more. */
  #isOver(): boolean {
    const { now, notAfter, settleUntil } = this.#options;
    if (this.#gone.signal.aborted) return true;
    if (this.#held && now() > notAfter) {
      const others = (this.#part.holders ?? []).filter((holder) => holder !== this.#options.self);
      this.#settling = true;
      this.#end({ is: 'held-too-long', others });
    }
    if (this.#part.state !== 'ended') return false;
    return this.#part.outcome !== 'unknown' || now() > settleUntil;
  }

  /** Waits before the next attempt; less if the target may be there again, and then says so. */
  async #wait(attempt: number): Promise<boolean> {
    const { timing, line, notAfter, now } = this.#options;
    const patient = this.#settling || this.#held;
    const { first, last } = patient ? timing.settlingMs : timing.backoffMs;
    const doubled = attempt === 0 && !patient ? first / 2 : Math.min(last, first * 2 ** Math.min(attempt, 16));
    // spread, so that the parts of a large execution do not all come at once
    const spread = doubled * (0.75 + Math.random() / 2);
    const untilOver = this.#held ? Math.max(1, notAfter - now() + 1) : Number.POSITIVE_INFINITY;
    let there = false;
    const forget = line.onChange(() => {
      if (there || !line.maybeThere()) return;
      there = true;
      this.#bell.ring();
    });
    await this.#pause(Math.min(spread, untilOver), this.#gone.signal);
    forget();
    return there;
  }

  /** Resolves after so long, or when something rings. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => resolve();
    const timer = setTimeout(end, Math.min(ms, MAX_TIMER_MS));
    signal.addEventListener('abort', end, { once: true });
    await Promise.race([promise, this.#bell.next()]);
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }

  /** The target may have got what was held for it: it is asked. */
  look(): void {
    this.#bell.ring();
  }

  #within(ms: number): AbortSignal {
    return AbortSignal.any([this.#gone.signal, AbortSignal.timeout(ms)]);
  }

  async #takeBack(): Promise<{ told: true } | { told: false; reason: string }> {
    const result = await this.#options.holder?.cancel().catch((error: unknown) => error);
    const notReached = isCancelled(result) ? result.notReached : [...(this.#part.holders ?? ['its holders'])];
    this.#settling = true;
    this.#end({ is: 'taken-back', notReached });
    this.#bell.ring();
    if (notReached.length === 0) return { told: true };
    return { told: false, reason: `held by ${notReached.join(', ')}, which could not be told` };
  }

  /** Says so on a stream of its own, again and again for a while. What comes of it is heard where the part is followed. */
  async #tellAbort(): Promise<{ told: true } | { told: false; reason: string }> {
    const { timing, line, id, user } = this.#options;
    const signal = this.#within(timing.abortMs);
    let reason = `${this.#part.node} could not be reached`;
    while (!signal.aborted && this.#part.state !== 'ended') {
      try {
        const conversation = await line.open(signal);
        try {
          await conversation.ask({ type: 'abort', ...(user === undefined ? {} : { user }), id, index: this.#part.index }, timing.answerMs);
          for (let events = 0; events <= MAX_IGNORED; events += 1) {
            const event = await conversation.next(timing.answerMs);
            if (event?.type === 'part' && event.id === id && event.part.index === this.#part.index) return { told: true };
            if (event?.type === 'error') return { told: false, reason: event.message };
            if (event === undefined || event.type === 'end') break;
          }
        } finally {
          conversation.close();
        }
      } catch (error) {
        if (!(error instanceof DtkdError)) throw error;
        reason = error.message;
      }
      await this.#pause(timing.backoffMs.first, signal);
    }
    return this.#part.state === 'ended' ? { told: true } : { told: false, reason };
  }
}

/** The longest that a timer can be set to. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function isConversation(value: unknown): value is Conversation {
  return typeof value === 'object' && value !== null && 'ask' in value && 'next' in value && 'close' in value;
}

function isCancelled(value: unknown): value is { notReached: string[] } {
  return typeof value === 'object' && value !== null && 'notReached' in value;
}

function away(error: unknown): Extract<Evidence, { is: 'never-told'; why: 'away' }> {
  const code = error instanceof DtkdError ? error.code : 'PEER_AWAY';
  const message = error instanceof DtkdError ? error.message : 'it could not be reached';
  return { is: 'never-told', why: 'away', code, message: code === 'TIMEOUT' ? `it could not be reached in time: ${message}` : message };
}

/** What a target's error means, by what it was asked. */
function refused(request: DispatchRequest, { code, message, next }: Extract<DispatchEvent, { type: 'error' }>): Heard {
  const busy = code === 'TOO_MANY_REQUESTS' || code === 'UNAVAILABLE' || code === 'TIMEOUT';
  if (busy) return { was: 'lost' };
  if (request.type === 'order') {
    return {
      was: 'not-taken',
      code: isErrorCode(code) ? code : 'ORDER_INVALID',
      message: next === undefined ? message : `${message}. ${next}`,
    };
  }
  if (code === 'BAD_REQUEST') return { was: 'no-such-offset' };
  return code === 'NOT_FOUND' ? { was: 'not-known' } : { was: 'lost' };
}

/** What a target says of how it went. */
function factsOf(word: Part | undefined): Partial<Part> {
  if (word === undefined) return {};
  const { startedAt, exitStatus, signal, dropped, file } = word;
  return {
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(exitStatus === undefined ? {} : { exitStatus }),
    ...(signal === undefined ? {} : { signal }),
    ...(dropped === undefined ? {} : { dropped }),
    ...(file === undefined ? {} : { file }),
  };
}
